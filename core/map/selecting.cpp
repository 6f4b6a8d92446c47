#include "map/selecting.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>

#include "base/threads.h"
#include "map/distance_internal.h"

namespace astroclip::map {

namespace {

constexpr int64_t word_bits = 64, words_at_least = 256, rows_at_least = 4096;
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

bool comes_before(const Similar& a, const Similar& b) {
  return a.cosine > b.cosine || (a.cosine == b.cosine && a.row < b.row);
}

/// The best of what is offered, as many as `most`.
class Best {
 public:
  explicit Best(int64_t most) : most_(most) {}

  void offer(const Similar& one) {
    if (std::ssize(heap_) == most_ && !comes_before(one, heap_.front())) return;
    if (std::ssize(heap_) == most_) {
      std::ranges::pop_heap(heap_, comes_before);
      heap_.pop_back();
    }
    heap_.push_back(one);
    std::ranges::push_heap(heap_, comes_before);
  }
  const std::vector<Similar>& all() const { return heap_; }

 private:
  int64_t most_;
  std::vector<Similar> heap_;  ///< the last of them in front
};

double exact_cosine(std::span<const float> a, const float* b) {
  double product = 0.0, square_a = 0.0, square_b = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += double{a[i]} * double{b[i]};
    square_a += double{a[i]} * double{a[i]};
    square_b += double{b[i]} * double{b[i]};
  }
  return product / std::sqrt(square_a * square_b);
}

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

std::vector<Similar> most_similar(std::span<const float> query, std::span<const float> rows, int64_t k,
                                  int64_t except) {
  const auto columns = std::ssize(query);
  const int64_t count = columns == 0 ? 0 : std::ssize(rows) / columns;
  // Cosines in float32 are wrong by less than what parts the k-th from as many again, but for rows that are as good.
  const int64_t candidates = 2 * k + 16;
  std::mutex mutex;
  std::vector<Similar> all;
  parallel_for(count, rows_at_least, [&](int64_t begin, int64_t end) {
    Best best(candidates);
    for (int64_t row = begin; row < end; ++row) {
      const float* values = rows.data() + row * columns;
      const float product = sum_of(columns, [&](int64_t i) { return query[static_cast<size_t>(i)] * values[i]; });
      const float square = sum_of(columns, [&](int64_t i) { return values[i] * values[i]; });
      const float cosine = product / std::sqrt(square);
      if (std::isfinite(cosine) && row != except) best.offer({row, double{cosine}});
    }
    const std::lock_guard lock(mutex);
    all.insert(all.end(), best.all().begin(), best.all().end());
  });
  for (Similar& one : all) one.cosine = exact_cosine(query, rows.data() + one.row * columns);
  std::ranges::sort(all, comes_before);
  all.resize(static_cast<size_t>(std::min(k, std::ssize(all))));
  return all;
}

std::vector<float> direction_of(std::span<const std::span<const float>> positive,
                                std::span<const std::span<const float>> negative) {
  constexpr double towards = 0.75, away = 0.15;
  std::vector<double> sum;
  const auto add = [&](std::span<const std::span<const float>> examples, double weight) {
    std::vector<double> own;
    int64_t count = 0;
    for (const auto example : examples) {
      double square = 0.0;
      for (const float value : example) square += double{value} * double{value};
      if (!std::isfinite(square) || square == 0.0) continue;
      own.resize(example.size());
      for (size_t i = 0; i < example.size(); ++i) own[i] += double{example[i]} / std::sqrt(square);
      ++count;
    }
    sum.resize(std::max(sum.size(), own.size()));
    for (size_t i = 0; i < own.size(); ++i) sum[i] += weight * own[i] / static_cast<double>(count);
  };
  add(positive, towards);
  if (sum.empty()) return {};
  add(negative, -away);
  return {sum.begin(), sum.end()};
}

}  // namespace astroclip::map
