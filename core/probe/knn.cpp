#include <fmt/format.h>

#include "base/error.h"
#include "probe/restore_internal.h"

namespace astroclip::probe {

std::vector<double> knn_means(const search::Neighbours& neighbours, std::span<const double> targets, int64_t outputs) {
  const int64_t k = neighbours.k;
  const int64_t queries = k == 0 ? 0 : static_cast<int64_t>(neighbours.index.size()) / k;
  std::vector<double> means(static_cast<size_t>(queries * outputs), 0.0);
  for (int64_t query = 0; query < queries; ++query) {
    const double* distance = neighbours.distance.data() + query * k;
    const int64_t* index = neighbours.index.data() + query * k;
    double* mean = means.data() + query * outputs;
    const bool exact = distance[0] == 0.0;
    double total = 0.0;
    for (int64_t i = 0; i < k; ++i) {
      const double weight = exact ? (distance[i] == 0.0 ? 1.0 : 0.0) : 1.0 / distance[i];
      total += weight;
      const double* target = targets.data() + index[i] * outputs;
      for (int64_t output = 0; output < outputs; ++output) mean[output] += weight * target[output];
    }
    for (int64_t output = 0; output < outputs; ++output) mean[output] /= total;
  }
  return means;
}

namespace {

class KnnProbe final : public Probe {
 public:
  KnnProbe(Matrix features, std::vector<double> labels, int64_t outputs, int64_t k)
      : features_(std::move(features)), labels_(std::move(labels)), outputs_(outputs), k_(k) {}

  std::vector<double> predict(const Matrix& features) const override {
    return knn_means(search::nearest(features, features_, k_), labels_, outputs_);
  }

  std::vector<NamedTensor> tensors() const override {
    const Device host = Device::host();
    return {{"features", Tensor::from_host(features_.values, {features_.rows, features_.columns}, DType::f32, host)},
            {"labels", Tensor::from_host(labels_, {features_.rows, outputs_}, DType::f64, host)},
            {"k", Tensor::from_host(std::vector<int64_t>{k_}, {1}, host)}};
  }

 private:
  Matrix features_;
  std::vector<double> labels_;
  int64_t outputs_, k_;
};

}  // namespace

std::unique_ptr<Probe> fit_knn(const Sample& train, int64_t k) {
  return std::make_unique<KnnProbe>(train.features, train.labels, train.outputs, k);
}

std::unique_ptr<Probe> restore_knn(const Tensors& tensors) {
  const Tensor &features = tensor_of(tensors, "features", 2), &labels = tensor_of(tensors, "labels", 2);
  if (features.size(0) != labels.size(0)) {
    throw Error(fmt::format("the probe has {} training vectors and labels of {}", features.size(0), labels.size(0)));
  }
  const auto k = static_cast<int64_t>(tensor_of(tensors, "k", 1).item());
  return std::make_unique<KnnProbe>(Matrix{features.size(0), features.size(1), features.to_floats()},
                                    labels.to_doubles(), labels.size(1), k);
}

}  // namespace astroclip::probe
