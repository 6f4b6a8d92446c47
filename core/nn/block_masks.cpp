#include "nn/block_masks.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace astroclip::nn {

namespace {

constexpr double smallest_block = 4.0, smallest_aspect = 0.3;
constexpr int draws_of_block = 10;

/// Hides one more block with at most `most` new patches; gives how many it hid, 0 if no draw would do.
int64_t hide_block(std::vector<float>& mask, int64_t side, int64_t most, Rng& rng) {
  for (int draw = 0; draw < draws_of_block; ++draw) {
    const double area = rng.uniform(smallest_block, static_cast<double>(most));
    const double aspect = std::exp(rng.uniform(std::log(smallest_aspect), -std::log(smallest_aspect)));
    const auto height = static_cast<int64_t>(std::nearbyint(std::sqrt(area * aspect)));
    const auto width = static_cast<int64_t>(std::nearbyint(std::sqrt(area / aspect)));
    if (height >= side || width >= side) continue;
    const int64_t top = rng.below(side - height + 1), left = rng.below(side - width + 1);
    const auto row = [&](int64_t y) { return mask.begin() + y * side + left; };
    int64_t fresh = 0;
    for (int64_t y = top; y < top + height; ++y) fresh += std::count(row(y), row(y) + width, 0.0F);
    if (fresh == 0 || fresh > most) continue;
    for (int64_t y = top; y < top + height; ++y) std::fill_n(row(y), width, 1.0F);
    return fresh;
  }
  return 0;
}

}  // namespace

std::vector<float> block_mask(int64_t side, int64_t wanted, Rng& rng) {
  std::vector<float> mask(static_cast<size_t>(side * side), 0.0F);
  for (int64_t hidden = 0; hidden < wanted;) {
    const int64_t fresh = hide_block(mask, side, std::min(wanted - hidden, side * side / 2), rng);
    if (fresh == 0) break;
    hidden += fresh;
  }
  return mask;
}

std::vector<float> block_masks(int64_t count, int64_t side, double masked_share, double least, double most,
                               const std::function<Rng(int64_t)>& rng) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  rng(count).shuffle(std::span(order));
  const auto masked = static_cast<int64_t>(static_cast<double>(count) * masked_share);
  const double slice = (most - least) / static_cast<double>(std::max<int64_t>(1, masked));
  std::vector<float> masks(static_cast<size_t>(count * side * side), 0.0F);
  for (int64_t i = 0; i < masked; ++i) {
    Rng own = rng(i);
    const double share = least + slice * (static_cast<double>(i) + own.uniform());
    const auto wanted = static_cast<int64_t>(share * static_cast<double>(side * side));
    const std::vector<float> mask = block_mask(side, wanted, own);
    std::ranges::copy(mask, masks.begin() + order[static_cast<size_t>(i)] * side * side);
  }
  return masks;
}

}  // namespace astroclip::nn
