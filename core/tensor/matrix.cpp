#include "tensor/matrix.h"

#include <algorithm>
#include <cmath>

namespace astroclip {

void Matrix::append(const Matrix& more) {
  rows += more.rows;
  columns = more.columns;
  values.insert(values.end(), more.values.begin(), more.values.end());
}

std::vector<int64_t> present_rows(const Matrix& matrix) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < matrix.rows; ++i) {
    if (std::ranges::none_of(matrix.row(i), [](float value) { return std::isnan(value); })) rows.push_back(i);
  }
  return rows;
}

Matrix select_rows(const Matrix& matrix, std::span<const int64_t> rows) {
  Matrix selected{static_cast<int64_t>(rows.size()), matrix.columns};
  for (const int64_t i : rows) {
    const auto row = matrix.row(i);
    selected.values.insert(selected.values.end(), row.begin(), row.end());
  }
  return selected;
}

}  // namespace astroclip
