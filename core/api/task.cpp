#include "api/task.h"

#include <algorithm>
#include <cmath>

namespace astroclip {

std::vector<int64_t> present_rows(const Matrix& matrix) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < matrix.rows; ++row) {
    const auto begin = matrix.values.begin() + row * matrix.columns;
    if (std::none_of(begin, begin + matrix.columns, [](float value) { return std::isnan(value); })) rows.push_back(row);
  }
  return rows;
}

Matrix select_rows(const Matrix& matrix, const std::vector<int64_t>& rows) {
  Matrix selected{static_cast<int64_t>(rows.size()), matrix.columns, {}};
  for (const int64_t row : rows) {
    const auto begin = matrix.values.begin() + row * matrix.columns;
    selected.values.insert(selected.values.end(), begin, begin + matrix.columns);
  }
  return selected;
}

}  // namespace astroclip
