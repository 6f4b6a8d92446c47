#include "search/knn.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "base/error.h"
#include "base/threads.h"

namespace astroclip::search {

namespace {

using Row = std::span<const float>;

double squared_distance(Row a, Row b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

double dot(Row a, Row b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

void check(const char* what, const Matrix& a, const Matrix& b) {
  if (a.columns != b.columns || b.rows == 0) {
    throw Error(fmt::format("[{}] rows must be equally wide and some, found {} × {} and {} × {}", what, a.rows,
                            a.columns, b.rows, b.columns));
  }
}

}  // namespace

Neighbours nearest(const Matrix& queries, const Matrix& among, int64_t k) {
  check("nearest", queries, among);
  const int64_t kept = std::min(k, among.rows);
  Neighbours result{kept, std::vector<int64_t>(static_cast<size_t>(queries.rows * kept)),
                    std::vector<double>(static_cast<size_t>(queries.rows * kept))};
  parallel_for(queries.rows, 1, [&](int64_t begin, int64_t end) {
    std::vector<double> distances(static_cast<size_t>(among.rows));
    std::vector<int64_t> order(distances.size());
    for (int64_t query = begin; query < end; ++query) {
      for (int64_t i = 0; i < among.rows; ++i) {
        distances[static_cast<size_t>(i)] = squared_distance(queries.row(query), among.row(i));
      }
      std::iota(order.begin(), order.end(), int64_t{0});
      std::partial_sort(order.begin(), order.begin() + kept, order.end(), [&](int64_t a, int64_t b) {
        const double left = distances[static_cast<size_t>(a)], right = distances[static_cast<size_t>(b)];
        return left < right || (left == right && a < b);
      });
      for (int64_t i = 0; i < kept; ++i) {
        const int64_t found = order[static_cast<size_t>(i)];
        result.index[static_cast<size_t>(query * kept + i)] = found;
        result.distance[static_cast<size_t>(query * kept + i)] = std::sqrt(distances[static_cast<size_t>(found)]);
      }
    }
  });
  return result;
}

std::vector<int64_t> partner_ranks(const Matrix& queries, const Matrix& among) {
  check("partner_ranks", queries, among);
  if (queries.rows != among.rows) {
    throw Error(
        fmt::format("[partner_ranks] every query needs its partner, found {} and {} rows", queries.rows, among.rows));
  }
  const Matrix a = unit_rows(queries), b = unit_rows(among);
  std::vector<int64_t> ranks(static_cast<size_t>(a.rows));
  parallel_for(a.rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t query = begin; query < end; ++query) {
      const double own = dot(a.row(query), b.row(query));
      int64_t rank = 1;
      for (int64_t i = 0; i < b.rows; ++i) {
        if (i != query && dot(a.row(query), b.row(i)) >= own) ++rank;
      }
      ranks[static_cast<size_t>(query)] = rank;
    }
  });
  return ranks;
}

Matrix unit_rows(Matrix rows) {
  for (int64_t i = 0; i < rows.rows; ++i) {
    const double norm = std::sqrt(dot(rows.row(i), rows.row(i)));
    for (int64_t column = 0; norm > 0.0 && column < rows.columns; ++column) {
      float& value = rows.values[static_cast<size_t>(i * rows.columns + column)];
      value = static_cast<float>(value / norm);
    }
  }
  return rows;
}

}  // namespace astroclip::search
