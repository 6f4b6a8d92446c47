#include "map/similar.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <mutex>

#include "base/threads.h"
#include "map/byte_products_internal.h"
#include "map/distance_internal.h"

namespace astroclip::map {

namespace {

constexpr int64_t group_rows = 1024;
constexpr double float_roundoff = 0x1p-24;
constexpr double largest_code = 127.0;

int64_t pitch_of(int64_t columns) { return (columns + code_lanes - 1) / code_lanes * code_lanes; }

double exact_cosine(std::span<const float> a, const float* b) {
  double product = 0.0, square_a = 0.0, square_b = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += double{a[i]} * double{b[i]};
    square_a += double{a[i]} * double{a[i]};
    square_b += double{b[i]} * double{b[i]};
  }
  return product / std::sqrt(square_a * square_b);
}

bool comes_before(const Similar& a, const Similar& b) {
  return a.cosine > b.cosine || (a.cosine == b.cosine && a.row < b.row);
}

/// The k most similar to a query of rows whose cosines lie within bounds.
class Shortlist {
 public:
  Shortlist(std::span<const float> query, std::span<const float> rows, int64_t k) : query_(query), rows_(rows), k_(k) {}

  /// Rows that cannot reach it are not among the k.
  float limit() const { return limit_; }

  void add(int64_t row, float lower, float upper) {
    open_.push_back({row, upper});
    lowers_.push_back(lower);
    std::ranges::push_heap(lowers_, std::greater());
    if (std::ssize(lowers_) > k_) {
      std::ranges::pop_heap(lowers_, std::greater());
      lowers_.pop_back();
    }
    if (std::ssize(lowers_) == k_) limit_ = std::max(limit_, lowers_.front());
    if (std::ssize(open_) >= most_open) settle();
  }

  const std::vector<Similar>& best() {
    settle();
    return best_;
  }

 private:
  static constexpr int64_t most_open = 1 << 15;
  struct Open {
    int64_t row;
    float upper;
  };

  /// Sums the cosines of rows that may be among the k, the most promising first, and keeps the k best.
  void settle() {
    std::ranges::sort(open_, std::greater(), &Open::upper);
    for (const auto& [row, upper] : open_) {
      const bool is_full = std::ssize(best_) == k_;
      if (upper < limit_ || (is_full && double{upper} < best_.front().cosine)) break;
      const Similar one{row, exact_cosine(query_, rows_.data() + row * std::ssize(query_))};
      if (!std::isfinite(one.cosine) || (is_full && !comes_before(one, best_.front()))) continue;
      if (is_full) {
        std::ranges::pop_heap(best_, comes_before);
        best_.pop_back();
      }
      best_.push_back(one);
      std::ranges::push_heap(best_, comes_before);
    }
    open_.clear();
    if (std::ssize(best_) == k_) {
      const auto worst = static_cast<float>(best_.front().cosine);
      limit_ = std::max(limit_, std::nextafter(worst, -std::numeric_limits<float>::infinity()));
    }
  }

  std::span<const float> query_, rows_;
  int64_t k_;
  float limit_ = -std::numeric_limits<float>::infinity();
  std::vector<float> lowers_;  ///< the k greatest, the least in front
  std::vector<Open> open_;
  std::vector<Similar> best_;  ///< a heap, the last of them in front
};

/// A query as a unit vector.
std::vector<float> unit_query(std::span<const float> query) {
  const double norm = norm_of(query);
  if (!std::isfinite(norm) || norm == 0.0) return {};
  std::vector<float> unit;
  for (const float value : query) unit.push_back(static_cast<float>(double{value} / norm));
  return unit;
}

/// Looks through float32 rows.
class PlainScan {
 public:
  PlainScan(std::span<const std::vector<float>> queries, std::span<const float> rows)
      : queries_(queries), rows_(rows), columns_(std::ssize(queries[0])) {
    // Of a product and a norm summed in as many lanes as sum_of has, and of the rounded query: Higham, "Accuracy and
    // Stability of Numerical Algorithms" (2002), section 3.1.
    error_ = static_cast<float>(2.0 * (static_cast<double>(columns_) / 16.0 + 40.0) * float_roundoff);
  }

  /// offer(query, row, lower, upper)
  template <class Offer>
  void look_through(int64_t begin, int64_t end, Offer offer) const {
    constexpr float least_square = 1e-24F, greatest_square = 1e24F;
    for (int64_t row = begin; row < end; ++row) {
      const float* values = rows_.data() + row * columns_;
      const float square = sum_of(columns_, [&](int64_t i) { return values[i] * values[i]; });
      if (std::isnan(square)) continue;
      const bool is_known = square > least_square && square < greatest_square;
      for (size_t query = 0; query < queries_.size(); ++query) {
        const float* own = queries_[query].data();
        const float cosine = sum_of(columns_, [&](int64_t i) { return own[i] * values[i]; }) / std::sqrt(square);
        if (is_known)
          offer(query, row, cosine - error_, cosine + error_);
        else
          offer(query, row, -2.0F, 2.0F);
      }
    }
  }

 private:
  std::span<const std::vector<float>> queries_;
  std::span<const float> rows_;
  int64_t columns_;
  float error_;
};

/// Looks through codes. A unit row r is c + s·x + ε with codes x, a unit query q is t·p + δ with integers p; so
/// q·r = q·c + s·t·(p·x) + s·(δ·x) + q·ε, where |q·ε| ≤ ‖ε‖ and |s·(δ·x)| ≤ ‖δ‖·(‖r − c‖ + ‖ε‖).
class QuantisedScan {
 public:
  QuantisedScan(std::span<const std::vector<float>> queries, const QuantisedRows& codes, int64_t rows)
      : codes_(codes), columns_(std::ssize(queries[0])), pitch_(pitch_of(columns_)), rows_(rows) {
    const double n = static_cast<double>(columns_);
    const double greatest = std::min(32767.0, std::floor(0x1p31 / (largest_code * n)) - 1.0);
    const double reach = 3.0 + norm_of(codes.centre) + std::sqrt(n) / largest_code;  // of ‖r − c‖ + ‖ε‖, generously
    for (const std::vector<float>& query : queries) {
      float top = 0.0F;
      double offset = 0.0, rest = 0.0;
      for (size_t i = 0; i < query.size(); ++i) {
        top = std::max(top, std::abs(query[i]));
        offset += double{query[i]} * double{codes.centre[i]};
      }
      const double step = double{top} / greatest;
      const size_t begin = words_.size();
      words_.resize(begin + static_cast<size_t>(pitch_));
      for (size_t i = 0; i < query.size(); ++i) {
        const double word = std::nearbyint(double{query[i]} / step);
        words_[begin + i] = static_cast<int16_t>(word);
        rest += std::pow(double{query[i]} - word * step, 2);
      }
      // The query was rounded to float32, and the bounds are computed in it.
      const double slack = std::sqrt(rest) * reach + 16.0 * float_roundoff * reach;
      queries_.push_back({static_cast<float>(offset), static_cast<float>(step), static_cast<float>(slack)});
    }
  }

  template <class Offer>
  void look_through(int64_t begin, int64_t end, Offer offer) const {
    const int64_t of_block = codes_.block_rows;
    std::vector<int32_t> products(queries_.size() * static_cast<size_t>(group_rows));
    for (int64_t first = begin, last = begin; first < end; first = last) {
      const int64_t block = first / of_block, block_first = block * of_block;
      const int64_t in_block = std::min(of_block, rows_ - block_first);
      last = std::min({end, first + group_rows, block_first + in_block});
      const int64_t count = last - first;
      const auto* codes = reinterpret_cast<const int8_t*>(codes_.blocks[static_cast<size_t>(block)].data());
      const auto* scales = reinterpret_cast<const float*>(codes + in_block * pitch_) + (first - block_first);
      const float* rests = scales + in_block;
      byte_products(codes + (first - block_first) * pitch_, count, pitch_, words_.data(), std::ssize(queries_),
                    products.data());
      for (size_t query = 0; query < queries_.size(); ++query) {
        const auto [offset, step, slack] = queries_[query];
        const int32_t* own = products.data() + static_cast<int64_t>(query) * count;
        for (int64_t i = 0; i < count; ++i) {
          const float cosine = offset + scales[i] * step * static_cast<float>(own[i]), error = rests[i] + slack;
          offer(query, first + i, cosine - error, cosine + error);
        }
      }
    }
  }

 private:
  struct Query {
    float offset, step, slack;
  };
  const QuantisedRows& codes_;
  int64_t columns_, pitch_, rows_;
  std::vector<Query> queries_;
  std::vector<int16_t> words_;  ///< [queries, pitch]
};

}  // namespace

double norm_of(std::span<const float> row) {
  constexpr size_t lanes = 8;
  double sums[lanes] = {}, total = 0.0;
  size_t i = 0;
  for (; i + lanes <= row.size(); i += lanes) {
    for (size_t lane = 0; lane < lanes; ++lane) sums[lane] += double{row[i + lane]} * double{row[i + lane]};
  }
  for (; i < row.size(); ++i) total += double{row[i]} * double{row[i]};
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

std::vector<float> centre_of_units(std::span<const float> rows, int64_t columns) {
  constexpr int64_t sampled = 4096;
  const int64_t count = std::ssize(rows) / columns, step = std::max<int64_t>(1, count / sampled);
  std::vector<double> sums(static_cast<size_t>(columns));
  double used = 0.0;
  for (int64_t row = 0; row < count; row += step) {
    const auto values = rows.subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
    const double norm = norm_of(values);
    if (!std::isfinite(norm) || norm == 0.0) continue;
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += double{values[i]} / norm;
    ++used;
  }
  std::vector<float> centre;
  for (const double sum : sums) centre.push_back(static_cast<float>(sum / std::max(used, 1.0)));
  return centre;
}

size_t quantised_bytes(int64_t rows, int64_t columns) {
  return static_cast<size_t>(rows) * (static_cast<size_t>(pitch_of(columns)) + 2 * sizeof(float));
}

std::vector<std::byte> quantised(std::span<const float> rows, std::span<const float> centre) {
  const auto columns = std::ssize(centre), count = std::ssize(rows) / columns, pitch = pitch_of(columns);
  std::vector<std::byte> bytes(quantised_bytes(count, columns));
  auto* codes = reinterpret_cast<int8_t*>(bytes.data());
  auto* scales = reinterpret_cast<float*>(codes + count * pitch);
  float* rests = scales + count;
  parallel_for(count, 64, [&](int64_t begin, int64_t end) {
    std::vector<double> differences(static_cast<size_t>(columns));
    for (int64_t row = begin; row < end; ++row) {
      const auto values = rows.subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
      const double norm = norm_of(values);
      scales[row] = 0.0F;
      rests[row] = std::numeric_limits<float>::quiet_NaN();  // of a row that is not to be found
      if (!std::isfinite(norm) || norm == 0.0) continue;
      double greatest = 0.0, rest = 0.0;
      for (size_t i = 0; i < differences.size(); ++i) {
        differences[i] = double{values[i]} / norm - double{centre[i]};
        greatest = std::max(greatest, std::abs(differences[i]));
      }
      const auto scale = static_cast<float>(greatest / largest_code);
      const double factor = scale > 0.0F ? 1.0 / double{scale} : 0.0;
      int8_t* code = codes + row * pitch;
      for (size_t i = 0; i < differences.size(); ++i) {
        const double nearest = std::clamp(std::nearbyint(differences[i] * factor), -largest_code, largest_code);
        code[i] = static_cast<int8_t>(nearest);
        const double left = differences[i] - double{scale} * nearest;
        rest += left * left;
      }
      scales[row] = scale;
      rests[row] = static_cast<float>(std::sqrt(rest) * (1.0 + 1e-6));  // rounded up
    }
  });
  return bytes;
}

std::vector<std::vector<Similar>> most_similar(std::span<const std::span<const float>> queries,
                                               std::span<const float> rows, const QuantisedRows* codes, int64_t first,
                                               int64_t last, int64_t k, int64_t except) {
  std::vector<std::vector<Similar>> found(queries.size());
  std::vector<std::vector<float>> units;
  std::vector<size_t> usable;
  for (size_t query = 0; query < queries.size(); ++query) {
    std::vector<float> unit = unit_query(queries[query]);
    if (unit.empty()) continue;
    usable.push_back(query);
    units.push_back(std::move(unit));
  }
  if (units.empty() || k < 1) return found;
  const int64_t count = std::ssize(rows) / std::ssize(units[0]);
  std::mutex mutex;
  const auto search = [&](const auto& scan) {
    const int64_t groups = (last - first + group_rows - 1) / group_rows;
    parallel_for(groups, 4, [&](int64_t begin, int64_t end) {
      std::vector<Shortlist> lists;
      for (const size_t query : usable) lists.emplace_back(queries[query], rows, k);
      scan.look_through(first + begin * group_rows, std::min(last, first + end * group_rows),
                        [&](size_t query, int64_t row, float lower, float upper) {
                          if (upper >= lists[query].limit() && row != except) lists[query].add(row, lower, upper);
                        });
      for (size_t query = 0; query < lists.size(); ++query) {
        const std::vector<Similar>& best = lists[query].best();
        const std::scoped_lock lock(mutex);
        found[usable[query]].insert(found[usable[query]].end(), best.begin(), best.end());
      }
    });
  };
  if (codes != nullptr)
    search(QuantisedScan(units, *codes, count));
  else
    search(PlainScan(units, rows));
  for (std::vector<Similar>& best : found) {
    std::ranges::sort(best, comes_before);
    best.resize(static_cast<size_t>(std::min(k, std::ssize(best))));
  }
  return found;
}

std::vector<Similar> most_similar(std::span<const float> query, std::span<const float> rows, int64_t k,
                                  int64_t except) {
  const int64_t count = query.empty() ? 0 : std::ssize(rows) / std::ssize(query);
  return most_similar(std::span(&query, 1), rows, nullptr, 0, count, k, except)[0];
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
