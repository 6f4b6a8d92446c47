#include "probe/probes.h"

namespace astroclip::probe {

std::vector<double> knn_regression(const search::Neighbours& neighbours, std::span<const double> targets) {
  const int64_t k = neighbours.k;
  const int64_t queries = k == 0 ? 0 : static_cast<int64_t>(neighbours.index.size()) / k;
  std::vector<double> predicted(static_cast<size_t>(queries), 0.0);
  for (int64_t query = 0; query < queries; ++query) {
    const double* distance = neighbours.distance.data() + query * k;
    const int64_t* index = neighbours.index.data() + query * k;
    const bool exact = distance[0] == 0.0;
    double total = 0.0, sum = 0.0;
    for (int64_t i = 0; i < k; ++i) {
      const double weight = exact ? (distance[i] == 0.0 ? 1.0 : 0.0) : 1.0 / distance[i];
      total += weight;
      sum += weight * targets[static_cast<size_t>(index[i])];
    }
    predicted[static_cast<size_t>(query)] = sum / total;
  }
  return predicted;
}

Fit knn(const Sample& train, const Sample& test, int64_t k) {
  return {knn_regression(search::nearest(test.features, train.features, k), train.labels), {}};
}

}  // namespace astroclip::probe
