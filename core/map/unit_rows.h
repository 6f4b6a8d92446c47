#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tensor/matrix.h"

namespace astroclip::map {

/// Rows that are fetched as they are needed, so that not all of them are in memory.
struct RowSource {
  int64_t rows = 0, columns = 0;
  std::function<Matrix(std::span<const int64_t> rows)> select;
};

/// Those of some rows [rows, columns] that are finite, as unit vectors, whose Euclidean distances order as cosines do;
/// zero stays zero. The rows must outlive it.
class UnitRows {
 public:
  UnitRows(std::span<const float> rows, int64_t columns);

  int64_t count() const { return static_cast<int64_t>(finite_.size()); }
  /// Which of the rows it is.
  int64_t row(int64_t at) const { return finite_[static_cast<size_t>(at)]; }
  Matrix select(std::span<const int64_t> some) const;
  /// use(first, vectors) for all, some at a time.
  void for_each_block(const std::function<void(int64_t first, const Matrix& vectors)>& use) const;
  /// All of them, or so many at random, in their order.
  std::vector<int64_t> sample(int64_t most, uint64_t seed) const;
  RowSource source() const;

 private:
  std::span<const float> rows_;
  int64_t columns_;
  std::vector<int64_t> finite_;
};

}  // namespace astroclip::map
