#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace astroclip {

/// Numbers on the host, a row for each object: [rows, columns], row-major.
struct Matrix {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> values = {};

  std::span<const float> row(int64_t i) const {
    return std::span(values).subspan(static_cast<size_t>(i * columns), static_cast<size_t>(columns));
  }
  /// Adds rows at the end; the first ones set the number of columns.
  void append(const Matrix& more);
};

Matrix select_rows(const Matrix& matrix, std::span<const int64_t> rows);

}  // namespace astroclip
