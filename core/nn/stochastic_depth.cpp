#include "nn/stochastic_depth.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace astroclip::nn {

KeptSamples::KeptSamples(std::vector<int64_t> kept, double factor, Device device)
    : samples(std::move(kept)), scale(factor) {
  if (!samples.empty()) index = Tensor::from_host(samples, {std::ssize(samples)}, device);
}

KeptSamples draw_kept(int64_t batch, const StochasticDepth& options, uint64_t seed, Device device) {
  Rng rng(seed, RngStream::dropout);
  const double share = 1.0 - options.rate;
  std::vector<int64_t> kept(static_cast<size_t>(batch));
  std::iota(kept.begin(), kept.end(), 0);
  double scale = 1.0 / share;
  if (options.draw == StochasticDepth::Draw::independent) {
    std::erase_if(kept, [&](int64_t) { return rng.uniform() < options.rate; });
  } else {
    const auto count = std::max<int64_t>(static_cast<int64_t>(static_cast<double>(batch) * share), 1);
    for (int64_t i = 0; i < count; ++i) std::swap(kept[i], kept[i + rng.below(batch - i)]);
    kept.resize(static_cast<size_t>(count));
    std::ranges::sort(kept);
    scale = static_cast<double>(batch) / static_cast<double>(count);
  }
  return {std::move(kept), scale, device};
}

}  // namespace astroclip::nn
