#include "optim/weight_average.h"

#include <algorithm>

#include "backend/backend.h"

namespace astroclip::optim {

WeightAverage::WeightAverage(std::vector<NamedTensor> tensors, double decay)
    : tensors_(std::move(tensors)), decay_(decay) {
  for (const NamedTensor& entry : tensors_) averages_.push_back(entry.tensor.clone());
}

void WeightAverage::update(int64_t updates) {
  if (tensors_.empty()) return;
  const auto t = static_cast<double>(updates);
  const std::vector<View> targets(averages_.begin(), averages_.end());
  std::vector<ConstView> sources;
  for (const NamedTensor& entry : tensors_) sources.emplace_back(entry.tensor);
  backend_of(averages_.front().device())
      .exponential_average(targets, sources, std::min(decay_, (1.0 + t) / (10.0 + t)));
}

void WeightAverage::swap() {
  for (size_t i = 0; i < tensors_.size(); ++i) trade_places(tensors_[i].tensor, averages_[i]);
}

std::vector<NamedTensor> WeightAverage::state() const {
  std::vector<NamedTensor> all;
  for (size_t i = 0; i < tensors_.size(); ++i) all.push_back({"average." + tensors_[i].name, averages_[i], false});
  return all;
}

void trade_places(Tensor a, Tensor b) {
  const Tensor kept = a.clone();
  a.copy_from(b);
  b.copy_from(kept);
}

}  // namespace astroclip::optim
