#include "search/knn.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/threads.h"

namespace astroclip::search {

namespace {

const float* row(const Rows& rows, int64_t i) { return rows.values.data() + i * rows.columns; }

double squared_distance(const float* a, const float* b, int64_t columns) {
  double sum = 0.0;
  for (int64_t i = 0; i < columns; ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

double dot(const float* a, const float* b, int64_t columns) {
  double sum = 0.0;
  for (int64_t i = 0; i < columns; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

void check(const char* what, const Rows& a, const Rows& b) {
  if (a.columns != b.columns || b.count() == 0) {
    throw Error(fmt::format("[{}] rows must be equally wide and some, found {} × {} and {} × {}", what, a.count(),
                            a.columns, b.count(), b.columns));
  }
}

}  // namespace

Neighbours nearest(const Rows& queries, const Rows& among, int64_t k) {
  check("nearest", queries, among);
  const int64_t kept = std::min(k, among.count());
  Neighbours result{kept, std::vector<int64_t>(static_cast<size_t>(queries.count() * kept)),
                    std::vector<double>(static_cast<size_t>(queries.count() * kept))};
  parallel_for(queries.count(), 1, [&](int64_t begin, int64_t end) {
    std::vector<double> distances(static_cast<size_t>(among.count()));
    std::vector<int64_t> order(distances.size());
    for (int64_t query = begin; query < end; ++query) {
      for (int64_t i = 0; i < among.count(); ++i) {
        distances[static_cast<size_t>(i)] = squared_distance(row(queries, query), row(among, i), among.columns);
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

std::vector<double> knn_regression(const Neighbours& neighbours, std::span<const double> targets, int64_t outputs) {
  const int64_t k = neighbours.k;
  const int64_t queries = k == 0 ? 0 : static_cast<int64_t>(neighbours.index.size()) / k;
  std::vector<double> predicted(static_cast<size_t>(queries * outputs), 0.0);
  for (int64_t query = 0; query < queries; ++query) {
    const double* distance = neighbours.distance.data() + query * k;
    const int64_t* index = neighbours.index.data() + query * k;
    const bool exact = distance[0] == 0.0;
    double total = 0.0;
    for (int64_t i = 0; i < k; ++i) {
      const double weight = exact ? (distance[i] == 0.0 ? 1.0 : 0.0) : 1.0 / distance[i];
      total += weight;
      for (int64_t o = 0; o < outputs; ++o) {
        predicted[static_cast<size_t>(query * outputs + o)] +=
            weight * targets[static_cast<size_t>(index[i] * outputs + o)];
      }
    }
    for (int64_t o = 0; o < outputs; ++o) predicted[static_cast<size_t>(query * outputs + o)] /= total;
  }
  return predicted;
}

std::vector<int64_t> partner_ranks(const Rows& queries, const Rows& among) {
  check("partner_ranks", queries, among);
  if (queries.count() != among.count()) {
    throw Error(fmt::format("[partner_ranks] every query needs its partner, found {} and {} rows", queries.count(),
                            among.count()));
  }
  const std::vector<float> left = unit_rows(queries), right = unit_rows(among);
  const Rows a{left, queries.columns}, b{right, among.columns};
  std::vector<int64_t> ranks(static_cast<size_t>(a.count()));
  parallel_for(a.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t query = begin; query < end; ++query) {
      const double own = dot(row(a, query), row(b, query), a.columns);
      int64_t rank = 1;
      for (int64_t i = 0; i < b.count(); ++i) {
        if (i != query && dot(row(a, query), row(b, i), a.columns) >= own) ++rank;
      }
      ranks[static_cast<size_t>(query)] = rank;
    }
  });
  return ranks;
}

std::vector<float> standardised(const Rows& rows, const Rows& reference) {
  check("standardised", rows, reference);
  std::vector<float> scaled(rows.values.begin(), rows.values.end());
  const auto count = static_cast<double>(reference.count());
  for (int64_t column = 0; column < rows.columns; ++column) {
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < reference.count(); ++i) sum += row(reference, i)[column];
    const double mean = sum / count;
    for (int64_t i = 0; i < reference.count(); ++i) {
      const double difference = row(reference, i)[column] - mean;
      squares += difference * difference;
    }
    const double deviation = std::sqrt(squares / count);
    const double scale = deviation > 1e-12 * (1.0 + std::abs(mean)) ? 1.0 / deviation : 0.0;
    for (int64_t i = 0; i < rows.count(); ++i) {
      float& value = scaled[static_cast<size_t>(i * rows.columns + column)];
      value = static_cast<float>((value - mean) * scale);
    }
  }
  return scaled;
}

std::vector<float> unit_rows(const Rows& rows) {
  std::vector<float> scaled(rows.values.begin(), rows.values.end());
  for (int64_t i = 0; i < rows.count(); ++i) {
    float* values = scaled.data() + i * rows.columns;
    const double norm = std::sqrt(dot(values, values, rows.columns));
    for (int64_t column = 0; norm > 0.0 && column < rows.columns; ++column) {
      values[column] = static_cast<float>(values[column] / norm);
    }
  }
  return scaled;
}

}  // namespace astroclip::search
