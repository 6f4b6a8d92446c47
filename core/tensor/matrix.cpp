#include "tensor/matrix.h"

namespace astroclip {

void Matrix::append(const Matrix& more) {
  if (more.rows == 0) return;
  rows += more.rows;
  columns = more.columns;
  values.insert(values.end(), more.values.begin(), more.values.end());
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
