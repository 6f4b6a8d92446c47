#include "probe/best_epoch.h"

#include <algorithm>
#include <span>

#include "base/rng.h"

namespace astroclip::probe {

std::vector<int64_t> take_validation(std::vector<int64_t>& order, double share, uint64_t seed) {
  if (share == 0.0 || order.size() < 2) return {};
  const size_t kept =
      order.size() - std::max<size_t>(1, static_cast<size_t>(share * static_cast<double>(order.size())));
  std::vector<int64_t> shuffled = order;
  Rng(seed, RngStream::validation).shuffle(std::span(shuffled));
  order.assign(shuffled.begin(), shuffled.begin() + static_cast<std::ptrdiff_t>(kept));
  return {shuffled.begin() + static_cast<std::ptrdiff_t>(kept), shuffled.end()};
}

void BestEpoch::offer(double loss) {
  if (!(loss < least_)) return;
  least_ = loss;
  weights_.clear();
  for (const NamedTensor& entry : parameters_) weights_.push_back(entry.tensor.clone());
}

void BestEpoch::restore() {
  for (size_t i = 0; i < weights_.size(); ++i) parameters_[i].tensor.copy_from(weights_[i]);
}

}  // namespace astroclip::probe
