#include "map/selecting.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/threads.h"

namespace astroclip::map {

namespace {

constexpr int64_t word_bits = 64, words_at_least = 256;

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

/// A polygon over a grid. Cells that no edge touches lie inside or outside as a whole; a point of another cell is
/// compared with the edges of its row of cells alone.
class Polygon {
 public:
  explicit Polygon(std::span<const std::array<double, 2>> corners) {
    for (const auto& [x, y] : corners) {
      across_.take(x);
      up_.take(y);
    }
    if (corners.empty() || !(up_.high > up_.low)) return;
    across_.divide();
    up_.divide();
    edges_of_row_.resize(cells);
    states_.assign(cells * cells, State::outside);
    for (size_t i = 0; i < corners.size(); ++i) add(corners[i], corners[(i + 1) % corners.size()]);
    for (size_t row = 0; row < cells; ++row) fill(row);
  }

  bool contains(double x, double y) const {
    if (edges_of_row_.empty() || !across_.has(x) || !up_.has(y)) return false;
    const size_t row = up_.cell(y);
    const State state = states_[row * cells + across_.cell(x)];
    if (state != State::cut) return state == State::inside;
    bool is_inside = false;
    for (const uint32_t edge : edges_of_row_[row]) {
      if (edges_[edge].crosses(y) && x < edges_[edge].x_at(y)) is_inside = !is_inside;
    }
    return is_inside;
  }

 private:
  static constexpr size_t cells = 1024;  // along each axis
  enum class State : uint8_t { outside, inside, cut };

  /// The polygon's extent along an axis, in equal cells.
  struct Axis {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    double scale = 0, margin = 0;  ///< cells of a unit; what rounding can move a point or a crossing by, and more

    void take(double value) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    void divide() {
      constexpr double share_of_cell = 1e-6, roundings = 16.0;
      scale = std::min(static_cast<double>(cells) / (high - low), std::numeric_limits<double>::max());
      margin = share_of_cell / scale +
               roundings * std::numeric_limits<double>::epsilon() * std::max(std::abs(low), std::abs(high));
    }
    bool has(double value) const { return value >= low && value <= high; }
    /// Of any value: those beyond the ends are in the cells there.
    size_t cell(double value) const {
      return static_cast<size_t>(std::clamp((value - low) * scale, 0.0, static_cast<double>(cells - 1)));
    }
    double begin(size_t cell) const { return low + static_cast<double>(cell) / scale; }
  };

  struct Edge {
    double x0, y0, x1, y1;
    bool crosses(double y) const { return (y0 > y) != (y1 > y); }
    double x_at(double y) const { return x0 + (y - y0) / (y1 - y0) * (x1 - x0); }
  };

  /// Marks the cells that an edge touches.
  void add(const std::array<double, 2>& a, const std::array<double, 2>& b) {
    const Edge edge{a[0], a[1], b[0], b[1]};
    const auto [bottom, top] = std::minmax(a[1], b[1]);
    const auto number = static_cast<uint32_t>(edges_.size());
    edges_.push_back(edge);
    for (size_t row = up_.cell(bottom - up_.margin); row <= up_.cell(top + up_.margin); ++row) {
      edges_of_row_[row].push_back(number);
      double from = a[0], to = b[0];
      if (a[1] != b[1]) {
        from = edge.x_at(std::clamp(up_.begin(row) - up_.margin, bottom, top));
        to = edge.x_at(std::clamp(up_.begin(row + 1) + up_.margin, bottom, top));
      }
      const auto [left, right] = std::minmax(from, to);
      for (size_t cell = across_.cell(left - across_.margin); cell <= across_.cell(right + across_.margin); ++cell)
        states_[row * cells + cell] = State::cut;
    }
  }

  /// Says of the cells of a row that no edge touches whether their centres are inside.
  void fill(size_t row) {
    const double y = up_.begin(row) + 0.5 / up_.scale;
    std::vector<double> crossings;
    for (const uint32_t edge : edges_of_row_[row]) {
      if (edges_[edge].crosses(y)) crossings.push_back(edges_[edge].x_at(y));
    }
    std::ranges::sort(crossings);
    size_t passed = 0;
    for (size_t cell = 0; cell < cells; ++cell) {
      const double x = across_.begin(cell) + 0.5 / across_.scale;
      while (passed < crossings.size() && crossings[passed] <= x) ++passed;
      State& state = states_[row * cells + cell];
      if (state != State::cut && (crossings.size() - passed) % 2 != 0) state = State::inside;
    }
  }

  Axis across_, up_;
  std::vector<Edge> edges_;
  std::vector<std::vector<uint32_t>> edges_of_row_;  ///< empty: nothing is inside
  std::vector<State> states_;                        ///< of cells, row by row
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
