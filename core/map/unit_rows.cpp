#include "map/unit_rows.h"

#include <algorithm>
#include <numeric>

#include "base/finite.h"
#include "base/rng.h"
#include "base/threads.h"
#include "map/similar.h"

namespace astroclip::map {

namespace {

constexpr int64_t unit_rows_at_once = 1 << 15, least_unit_rows = 64;

std::span<const float> row_in(std::span<const float> rows, int64_t columns, int64_t row) {
  return rows.subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
}

}  // namespace

UnitRows::UnitRows(std::span<const float> rows, int64_t columns) : rows_(rows), columns_(columns) {
  std::vector<uint8_t> is_finite(rows.size() / static_cast<size_t>(columns));
  parallel_for(std::ssize(is_finite), least_unit_rows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      is_finite[static_cast<size_t>(row)] = all_finite(row_in(rows, columns, row)) ? 1 : 0;
    }
  });
  finite_.reserve(is_finite.size());
  for (size_t row = 0; row < is_finite.size(); ++row) {
    if (is_finite[row] != 0) finite_.push_back(static_cast<int64_t>(row));
  }
}

Matrix UnitRows::select(std::span<const int64_t> some) const {
  Matrix units{std::ssize(some), columns_, std::vector<float>(some.size() * static_cast<size_t>(columns_))};
  parallel_for(units.rows, least_unit_rows, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto values = row_in(rows_, columns_, row(some[static_cast<size_t>(i)]));
      const double norm = norm_of(values);
      if (norm == 0.0) continue;
      float* unit = units.values.data() + i * columns_;
      for (size_t column = 0; column < values.size(); ++column) {
        unit[column] = static_cast<float>(double{values[column]} / norm);
      }
    }
  });
  return units;
}

void UnitRows::for_each_block(const std::function<void(int64_t first, const Matrix& vectors)>& use) const {
  for (int64_t first = 0; first < count(); first += unit_rows_at_once) {
    std::vector<int64_t> some(static_cast<size_t>(std::min(unit_rows_at_once, count() - first)));
    std::iota(some.begin(), some.end(), first);
    use(first, select(some));
  }
}

std::vector<int64_t> UnitRows::sample(int64_t most, uint64_t seed) const {
  std::vector<int64_t> some(finite_.size());
  std::iota(some.begin(), some.end(), int64_t{0});
  if (count() <= most) return some;
  Rng(seed ^ stable_hash("landmarks"), RngStream::probes).shuffle(std::span(some));
  some.resize(static_cast<size_t>(most));
  std::ranges::sort(some);
  return some;
}

RowSource UnitRows::source() const {
  return {count(), columns_, [this](std::span<const int64_t> some) { return select(some); }};
}

}  // namespace astroclip::map
