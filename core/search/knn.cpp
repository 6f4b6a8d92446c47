#include "search/knn.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/error.h"
#include "base/threads.h"
#include "search/nearest_internal.h"
#include "search/products_internal.h"

namespace astroclip::search {

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

/// A row that may be among the nearest. Its squared distance, as the float64 sum gives it, lies within the bounds; it
/// is known where they are equal.
struct Candidate {
  double lower, upper;
  int64_t row;
};

bool is_nearer(const Candidate& a, const Candidate& b) {
  return a.upper < b.upper || (a.upper == b.upper && a.row < b.row);
}

/// The rows that may be among the k nearest to a query.
class Shortlist {
 public:
  Shortlist(std::span<const float> query, const Matrix& among, int64_t k)
      : query_(query), among_(among), k_(k), most_(2 * k + 64) {
    candidates_.reserve(static_cast<size_t>(std::min(most_, among.rows)));
  }

  /// The k nearest have no larger squared distance.
  double limit() const { return limit_; }

  void add(const Candidate& candidate) {
    candidates_.push_back(candidate);
    if (std::ssize(candidates_) < most_) return;
    drop_farther();
    if (std::ssize(candidates_) > most_ - most_ / 4) settle();
  }

  /// The k nearest, nearest first, by their float64 sums.
  const std::vector<Candidate>& nearest() {
    drop_farther();
    settle();
    std::ranges::sort(candidates_, is_nearer);
    return candidates_;
  }

 private:
  void drop_farther() {
    const auto kth = candidates_.begin() + (k_ - 1);
    std::ranges::nth_element(candidates_, kth, {}, &Candidate::upper);
    limit_ = std::min(limit_, kth->upper);
    std::erase_if(candidates_, [this](const Candidate& candidate) { return candidate.lower > limit_; });
  }

  /// Computes what is not known and keeps the k nearest.
  void settle() {
    const std::vector<double> query(query_.begin(), query_.end());
    std::vector<Candidate*> open;
    for (Candidate& candidate : candidates_) {
      if (candidate.lower < candidate.upper) open.push_back(&candidate);
    }
    for (size_t i = 0; i < open.size(); i += sums_at_once) {
      compute(query.data(), std::span(open).subspan(i, std::min(sums_at_once, open.size() - i)));
    }
    const auto kth = candidates_.begin() + (k_ - 1);
    std::ranges::nth_element(candidates_, kth, is_nearer);
    limit_ = kth->upper;
    candidates_.erase(kth + 1, candidates_.end());
  }

  void compute(const double* query, std::span<Candidate*> open) {
    std::array<const float*, sums_at_once> rows;
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = among_.row(open[std::min(i, open.size() - 1)]->row).data();
    const auto sums = exact_sums<sums_at_once>(among_.columns, [&](size_t pair, int64_t i) {
      const double difference = query[i] - double{rows[pair][i]};
      return difference * difference;
    });
    for (size_t i = 0; i < open.size(); ++i) open[i]->lower = open[i]->upper = sums[i];
  }

  std::span<const float> query_;
  const Matrix& among_;
  int64_t k_, most_;
  double limit_ = infinite;
  std::vector<Candidate> candidates_;
};

bool any_reaches(const float* products, float half_square, const float* limits, int64_t count) {
  int32_t any = 0;
  for (int64_t i = 0; i < count; ++i) any |= static_cast<int32_t>(products[i] - half_square >= limits[i]);
  return any != 0;
}

/// The search for queries [first, last), with |q − a|² = |q|² + |a|² − 2 q·a of centred rows.
class BlockSearch {
 public:
  BlockSearch(const Centred& queries, int64_t first, int64_t last, const Centred& among, int64_t k, float scale)
      : queries_(queries), among_(among), first_(first), scale_(scale), limits_(static_cast<size_t>(last - first)) {
    for (int64_t i = first; i < last; ++i) lists_.emplace_back(queries.matrix().row(i), among.matrix(), k);
  }

  void run(const std::function<void()>& between) {
    const Tensor queries = queries_.block(first_, first_ + std::ssize(lists_), scale_);
    for (int64_t begin = 0; begin < among_.rows(); begin += row_block) {
      const int64_t end = std::min(begin + row_block, among_.rows());
      scan(products(among_.block(begin, end, scale_), queries), begin);
      if (between) between();
    }
  }

  void write(Neighbours& result) {
    parallel_for(std::ssize(lists_), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<size_t>((first_ + i) * result.k);
        const bool is_finite = std::isfinite(queries_.norm(first_ + i));
        const std::span<const Candidate> nearest =
            is_finite ? lists_[static_cast<size_t>(i)].nearest() : std::span<const Candidate>();
        for (size_t n = 0; n < static_cast<size_t>(result.k); ++n) {
          result.index[at + n] = is_finite ? nearest[n].row : static_cast<int64_t>(n);
          result.distance[at + n] = is_finite ? std::sqrt(nearest[n].upper) : infinite;
        }
      }
    });
  }

 private:
  /// Offers the shortlists what can be near enough of the rows from `first_row` on; products [rows, queries].
  void scan(const Tensor& products, int64_t first_row) {
    const int64_t rows = products.size(0), columns = products.size(1);
    const double largest = among_.largest_norm(first_row, first_row + rows);
    std::vector<float> half_squares;
    for (int64_t i = 0; i < rows; ++i) {
      const double norm = among_.norm(first_row + i) * scale_;
      half_squares.push_back(static_cast<float>(0.5 * norm * norm));
    }
    const auto* values = products.data_as<float>();
    parallel_for(columns, scan_width, [&](int64_t begin, int64_t end) {
      for (int64_t query = begin; query < end; ++query) set_limit(query, largest);
      for (int64_t i = 0; i < rows; ++i) {
        const float* row = values + i * columns;
        const float half_square = half_squares[static_cast<size_t>(i)];
        for (int64_t some = begin; some < end; some += scan_width) {
          const int64_t count = std::min(scan_width, end - some);
          if (!any_reaches(row + some, half_square, limits_.data() + some, count)) continue;
          for (int64_t query = some; query < some + count; ++query) {
            if (row[query] - half_square < limits_[static_cast<size_t>(query)]) continue;
            if (offer(query, first_row + i, row[query])) set_limit(query, largest);
          }
        }
      }
    });
  }

  /// Whether the query's limit changed.
  bool offer(int64_t query, int64_t row, double product) {
    const double a = queries_.norm(first_ + query), b = among_.norm(row);
    Candidate candidate{infinite, infinite, row};
    if (std::isfinite(b)) {
      const double square = a * a + b * b - 2.0 * product / (double{scale_} * scale_), error = distance_error(a, b);
      candidate = {square - error, square + error, row};
    }
    Shortlist& list = lists_[static_cast<size_t>(query)];
    const double limit = list.limit();
    if (candidate.lower <= limit) list.add(candidate);
    return list.limit() < limit;
  }

  /// Of a squared distance from the product, against the float64 sum.
  double distance_error(double norm_a, double norm_b) const {
    const double sums = static_cast<double>(2 * among_.columns() + 16) * double_roundoff;
    return 2.0 * product_error(among_.columns(), norm_a, norm_b, scale_) + sums * (norm_a + norm_b) * (norm_a + norm_b);
  }

  /// Sets what product − |a|²/2 reaches, times scale², for rows within the query's limit whose norm is at most
  /// `largest`.
  void set_limit(int64_t query, double largest) {
    const double a = queries_.norm(first_ + query), limit = lists_[static_cast<size_t>(query)].limit();
    const double rounding = 4.0 * float_roundoff * (a + largest) * (a + largest);
    const double least = 0.5 * (a * a - limit - distance_error(a, largest)) - rounding;
    limits_[static_cast<size_t>(query)] = std::isfinite(a) ? std::nextafter(static_cast<float>(least * scale_ * scale_),
                                                                            -std::numeric_limits<float>::infinity())
                                                           : std::numeric_limits<float>::infinity();
  }

  const Centred& queries_;
  const Centred& among_;
  int64_t first_;
  float scale_;
  std::vector<Shortlist> lists_;
  std::vector<float> limits_;
};

}  // namespace

Neighbours nearest(const Matrix& queries, const Matrix& among, int64_t k) { return nearest(queries, among, k, {}); }

Neighbours nearest(const Matrix& queries, const Matrix& among, int64_t k, const std::function<void()>& between) {
  if (queries.columns != among.columns || among.rows == 0 || among.columns == 0) {
    throw Error(fmt::format("[nearest] rows must be equally wide and some, found {} × {} and {} × {}", queries.rows,
                            queries.columns, among.rows, among.columns));
  }
  const int64_t kept = std::min(k, among.rows);
  Neighbours result{kept, std::vector<int64_t>(static_cast<size_t>(queries.rows * kept)),
                    std::vector<double>(static_cast<size_t>(queries.rows * kept))};
  if (kept == 0) return result;
  const std::vector<float> centre = centre_of(among);
  const Centred centred_queries(queries, centre), centred_rows(among, centre);
  const float scale = common_scale(centred_queries, centred_rows);
  for (int64_t begin = 0; begin < queries.rows; begin += query_block) {
    BlockSearch search(centred_queries, begin, std::min(begin + query_block, queries.rows), centred_rows, kept, scale);
    search.run(between);
    search.write(result);
  }
  return result;
}

Matrix unit_rows(Matrix rows) {
  for (int64_t i = 0; i < rows.rows; ++i) {
    const float* row = rows.row(i).data();
    const double norm = std::sqrt(exact_product(row, row, rows.columns));
    for (int64_t column = 0; norm > 0.0 && column < rows.columns; ++column) {
      float& value = rows.values[static_cast<size_t>(i * rows.columns + column)];
      value = static_cast<float>(value / norm);
    }
  }
  return rows;
}

}  // namespace astroclip::search
