#include <fmt/format.h>

#include <memory>

#include "base/rng.h"
#include "bench/row.h"
#include "search/knn.h"

namespace astroclip::bench {

namespace {

std::shared_ptr<const Matrix> random_rows(int64_t rows, int64_t columns, uint64_t seed) {
  Rng rng(seed, RngStream::tests);
  auto matrix =
      std::make_shared<Matrix>(Matrix{rows, columns, std::vector<float>(static_cast<size_t>(rows * columns))});
  for (float& value : matrix->values) value = static_cast<float>(rng.next()) * 0x1.0p-31f - 1.0f;
  return matrix;
}

double product_of(int64_t queries, int64_t rows, int64_t columns) {
  return 2.0 * static_cast<double>(queries) * static_cast<double>(rows) * static_cast<double>(columns);
}

std::string note_of(const Settings& settings) {
  return settings.precision == Precision::f32 ? "" : "its products are in f32";
}

/// The float64 sums of the few distances that are computed again do not count.
Work nearest_neighbours(const Settings& settings, int64_t queries, int64_t rows, int64_t columns, int64_t k) {
  const auto run = [=, points = random_rows(queries, columns, 1), among = random_rows(rows, columns, 2)] {
    search::nearest(*points, *among, k);
  };
  return {run, product_of(queries, rows, columns), 0.0, static_cast<double>(queries), note_of(settings)};
}

/// In both directions, from one product.
Work partner_ranks(const Settings& settings, int64_t pairs, int64_t columns) {
  const auto run = [=, a = random_rows(pairs, columns, 1), b = random_rows(pairs, columns, 2)] {
    search::partner_ranks(*a, *b);
  };
  return {run, product_of(pairs, pairs, columns), 0.0, static_cast<double>(pairs), note_of(settings)};
}

}  // namespace

std::vector<Row> search_rows() {
  std::vector<Row> rows;
  // A tenth of the published test set, and as much of the training set as takes a second or two.
  constexpr int64_t queries = 4000, among = 40000, columns = 1024, k = 64;
  rows.push_back({fmt::format("search {} x {} x {}, {} nearest", queries, among, columns, k),
                  [=](const Settings& s) { return nearest_neighbours(s, queries, among, columns, k); },
                  {"scikit-learn", "faiss"}});
  rows.push_back(
      {"search partners 8000 x 8000 x 1024", [](const Settings& s) { return partner_ranks(s, 8000, 1024); }});
  return rows;
}

}  // namespace astroclip::bench
