#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/threads.h"
#include "search/knn.h"
#include "search/products_internal.h"

namespace astroclip::search {

namespace {

/// One of the two sets. With a = m + a' and b = n + b', a·b = a'·b' + shift(a) + shift(b) + m·n. Row a's partner does
/// not come before b where a'·b' + shift(b) ≥ threshold(a).
struct Side {
  std::vector<float> shift;      ///< infinite where the row is not finite, whose cosines then reach every threshold
  std::vector<float> threshold;  ///< −infinite where the cosine with the partner is not a number
  std::vector<int64_t> ranks;
};

/// Of `rows`, with the centre of the other set's. `own`: cosines of partners.
Side side_of(const Matrix& rows, const std::vector<float>& centre, double of_centres, const std::vector<double>& own) {
  constexpr float infinite_float = std::numeric_limits<float>::infinity();
  Side side;
  for (int64_t i = 0; i < rows.rows; ++i) {
    const double shift = exact_product(rows.row(i).data(), centre.data(), rows.columns) - of_centres;
    const double threshold = own[static_cast<size_t>(i)] - of_centres - shift;
    side.shift.push_back(std::isfinite(shift) ? static_cast<float>(shift) : infinite_float);
    side.threshold.push_back(std::isfinite(threshold) ? static_cast<float>(threshold) : -infinite_float);
  }
  side.ranks.resize(side.shift.size());
  return side;
}

double largest_finite(const Side& side) {
  double largest = 0.0;
  for (const auto* values : {&side.shift, &side.threshold}) {
    for (const float value : *values) {
      if (std::isfinite(value)) largest = std::max(largest, std::abs(double{value}));
    }
  }
  return largest;
}

/// What some products say of one row of `among`: queries whose cosines certainly reach its own, and whether the
/// products leave any open for it or for a query.
struct Tally {
  int32_t above = 0, open = 0;
};

/// `above`: for each query, rows whose cosines certainly reach the query's own.
Tally compare(const float* products, const float* shifts, const float* thresholds, float row_shift, float row_threshold,
              float error, int32_t* above, int64_t count) {
  Tally tally;
  for (int64_t i = 0; i < count; ++i) {
    const float for_query = products[i] + row_shift - thresholds[i], for_row = products[i] + shifts[i] - row_threshold;
    above[i] += static_cast<int32_t>(for_query >= error);
    tally.above += static_cast<int32_t>(for_row >= error);
    tally.open |= static_cast<int32_t>(std::abs(for_query) < error) | static_cast<int32_t>(std::abs(for_row) < error);
  }
  return tally;
}

/// A pair that products leave open, for the query's list, the list of the row of `among`, or both.
struct OpenPair {
  int64_t query, row;
  bool for_query, for_row;
};

class RankCounter {
 public:
  /// Both of unit rows.
  RankCounter(const Matrix& queries, const Matrix& among) : queries_(queries), among_(among) {
    for (int64_t i = 0; i < queries.rows; ++i) {
      own_.push_back(exact_product(queries.row(i).data(), among.row(i).data(), queries.columns));
    }
  }

  PartnerRanks run() {
    const std::vector<float> centre = centre_of(queries_), among_centre = centre_of(among_);
    const double of_centres = exact_product(centre.data(), among_centre.data(), queries_.columns);
    query_side_ = side_of(queries_, among_centre, of_centres, own_);
    among_side_ = side_of(among_, centre, of_centres, own_);
    const double largest = std::max(largest_finite(query_side_), largest_finite(among_side_));
    const Centred queries(queries_, centre), among(among_, among_centre);
    for (int64_t first = 0; first < queries.rows(); first += query_block) {
      const int64_t last = std::min(first + query_block, queries.rows());
      const Tensor block = queries.block(first, last, 1.0f);
      const double norm = queries.largest_norm(first, last);
      for (int64_t begin = 0; begin < among.rows(); begin += row_block) {
        const int64_t end = std::min(begin + row_block, among.rows());
        count(products(among.block(begin, end, 1.0f), block), first, begin,
              error_of(norm, among.largest_norm(begin, end), largest));
      }
    }
    return {std::move(query_side_.ranks), std::move(among_side_.ranks)};
  }

 private:
  /// Bound on the error of product + shift − threshold, against the float64 sums.
  float error_of(double query_norm, double among_norm, double largest) const {
    const double sums = 32.0 * static_cast<double>(queries_.columns + 8) * double_roundoff;
    const double rounding = 8.0 * float_roundoff * (query_norm * among_norm + largest);
    return static_cast<float>(product_error(queries_.columns, query_norm, among_norm, 1.0) + sums + rounding);
  }

  /// products [rows from first_row on, queries from first_query on]
  void count(const Tensor& products, int64_t first_query, int64_t first_row, float error) {
    const int64_t rows = products.size(0), columns = products.size(1);
    const float* shifts = query_side_.shift.data() + first_query;
    const float* thresholds = query_side_.threshold.data() + first_query;
    const auto* values = products.data_as<float>();
    parallel_for(columns, scan_width, [&](int64_t begin, int64_t end) {
      std::vector<int32_t> above(static_cast<size_t>(end - begin));
      std::vector<OpenPair> open;
      for (int64_t i = 0; i < rows; ++i) {
        const float* row = values + i * columns;
        const float shift = among_side_.shift[static_cast<size_t>(first_row + i)];
        const float threshold = among_side_.threshold[static_cast<size_t>(first_row + i)];
        int64_t row_above = 0;
        for (int64_t some = begin; some < end; some += scan_width) {
          const int64_t last = std::min(some + scan_width, end);
          const Tally tally = compare(row + some, shifts + some, thresholds + some, shift, threshold, error,
                                      above.data() + (some - begin), last - some);
          row_above += tally.above;
          for (int64_t query = some; tally.open != 0 && query < last; ++query) {
            const bool for_query = std::abs(row[query] + shift - thresholds[query]) < error;
            const bool for_row = std::abs(row[query] + shifts[query] - threshold) < error;
            if (for_query || for_row) open.push_back({first_query + query, first_row + i, for_query, for_row});
            if (open.size() == sums_at_once) settle(open);
          }
        }
        add(among_side_, first_row + i, row_above);
      }
      if (!open.empty()) settle(open);
      for (int64_t query = begin; query < end; ++query) {
        add(query_side_, first_query + query, above[static_cast<size_t>(query - begin)]);
      }
    });
  }

  /// Counts pairs by their float64 sums.
  void settle(std::vector<OpenPair>& open) {
    std::array<const float*, sums_at_once> a, b;
    for (size_t i = 0; i < a.size(); ++i) {
      const OpenPair& pair = open[std::min(i, open.size() - 1)];
      a[i] = queries_.row(pair.query).data();
      b[i] = among_.row(pair.row).data();
    }
    const auto cosines = exact_sums<sums_at_once>(
        queries_.columns, [&](size_t pair, int64_t i) { return double{a[pair][i]} * double{b[pair][i]}; });
    for (size_t i = 0; i < open.size(); ++i) {
      const auto [query, row, for_query, for_row] = open[i];
      if (for_query && !(cosines[i] < own_[static_cast<size_t>(query)])) add(query_side_, query, 1);
      if (for_row && !(cosines[i] < own_[static_cast<size_t>(row)])) add(among_side_, row, 1);
    }
    open.clear();
  }

  /// Threads share the rows of `among`.
  static void add(Side& side, int64_t row, int64_t count) {
    std::atomic_ref(side.ranks[static_cast<size_t>(row)]).fetch_add(count, std::memory_order_relaxed);
  }

  const Matrix& queries_;
  const Matrix& among_;
  std::vector<double> own_;
  Side query_side_, among_side_;
};

}  // namespace

PartnerRanks partner_ranks(const Matrix& queries, const Matrix& among) {
  if (queries.rows != among.rows || queries.columns != among.columns || queries.columns == 0) {
    throw Error(fmt::format("[partner_ranks] every query needs its partner, found {} × {} and {} × {}", queries.rows,
                            queries.columns, among.rows, among.columns));
  }
  const Matrix a = unit_rows(queries), b = unit_rows(among);
  return RankCounter(a, b).run();
}

}  // namespace astroclip::search
