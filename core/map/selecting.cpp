#include "map/selecting.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/threads.h"

namespace astroclip::map {

namespace {

constexpr int64_t word_bits = 64, words_at_least = 256;
constexpr size_t slabs = 1024;

/// Sets the bits of the rows that are chosen.
template <class Chosen>
Mask mask_of(int64_t rows, Chosen is_chosen) {
  Mask mask = no_row(rows);
  parallel_for(std::ssize(mask), words_at_least, [&](int64_t begin, int64_t end) {
    for (int64_t word = begin; word < end; ++word) {
      uint64_t bits = 0;
      const int64_t first = word * word_bits, last = std::min(rows, first + word_bits);
      for (int64_t row = first; row < last; ++row) {
        bits |= static_cast<uint64_t>(is_chosen(static_cast<size_t>(row))) << (row - first);
      }
      mask[static_cast<size_t>(word)] = bits;
    }
  });
  return mask;
}

/// A polygon cut into slabs of equal height, so that a point is compared with the edges of its slab alone.
class Polygon {
 public:
  explicit Polygon(std::span<const std::array<double, 2>> corners) {
    for (const auto& [x, y] : corners) {
      left_ = std::min(left_, x);
      right_ = std::max(right_, x);
      bottom_ = std::min(bottom_, y);
      top_ = std::max(top_, y);
    }
    if (corners.empty() || !(top_ > bottom_)) return;
    edges_.resize(slabs);
    for (size_t i = 0; i < corners.size(); ++i) {
      const auto& a = corners[i];
      const auto& b = corners[(i + 1) % corners.size()];
      if (a[1] == b[1]) continue;
      const auto [low, high] = std::minmax(a[1], b[1]);
      for (size_t slab = slab_of(low); slab <= slab_of(high); ++slab) edges_[slab].push_back({a[0], a[1], b[0], b[1]});
    }
  }

  bool contains(double x, double y) const {
    if (edges_.empty() || !(x >= left_ && x <= right_ && y >= bottom_ && y <= top_)) return false;
    bool is_inside = false;
    for (const Edge& edge : edges_[slab_of(y)]) {
      if ((edge.y0 > y) == (edge.y1 > y)) continue;
      if (x < edge.x0 + (y - edge.y0) / (edge.y1 - edge.y0) * (edge.x1 - edge.x0)) is_inside = !is_inside;
    }
    return is_inside;
  }

 private:
  struct Edge {
    double x0, y0, x1, y1;
  };
  size_t slab_of(double y) const {
    return std::min(slabs - 1, static_cast<size_t>((y - bottom_) / (top_ - bottom_) * static_cast<double>(slabs)));
  }

  static constexpr double infinite = std::numeric_limits<double>::infinity();
  double left_ = infinite, right_ = -infinite, bottom_ = infinite, top_ = -infinite;
  std::vector<std::vector<Edge>> edges_;  ///< by slab
};

}  // namespace

Mask no_row(int64_t rows) { return Mask(static_cast<size_t>((rows + word_bits - 1) / word_bits)); }

Mask every_row(int64_t rows) {
  return mask_of(rows, [](size_t) { return true; });
}

int64_t count_of(const Mask& mask) {
  int64_t count = 0;
  for (const uint64_t word : mask) count += std::popcount(word);
  return count;
}

std::vector<int64_t> rows_of(const Mask& mask, int64_t first, int64_t most) {
  std::vector<int64_t> rows;
  for (size_t word = 0; word < mask.size() && std::ssize(rows) < most; ++word) {
    const int64_t count = std::popcount(mask[word]);
    if (first >= count) {
      first -= count;
      continue;
    }
    for (uint64_t bits = mask[word]; bits != 0 && std::ssize(rows) < most; bits &= bits - 1) {
      if (first-- > 0) continue;
      rows.push_back(static_cast<int64_t>(word) * word_bits + std::countr_zero(bits));
    }
    first = 0;
  }
  return rows;
}

Mask inside(std::span<const float> positions, std::span<const std::array<double, 2>> polygon) {
  const Polygon shape(polygon);
  return mask_of(std::ssize(positions) / 2, [&](size_t row) {
    return shape.contains(double{positions[2 * row]}, double{positions[2 * row + 1]});
  });
}

Mask within(std::span<const float> values, double low, double high) {
  return mask_of(std::ssize(values),
                 [&](size_t row) { return double{values[row]} >= low && double{values[row]} <= high; });
}

int64_t nearest_row(std::span<const float> positions, double x, double y, double farthest) {
  int64_t nearest = -1;
  double least = farthest * farthest;
  for (size_t row = 0; 2 * row < positions.size(); ++row) {
    const double dx = double{positions[2 * row]} - x, dy = double{positions[2 * row + 1]} - y;
    const double square = dx * dx + dy * dy;
    if (square < least || (square == least && nearest < 0)) {
      least = square;
      nearest = static_cast<int64_t>(row);
    }
  }
  return nearest;
}

}  // namespace astroclip::map
