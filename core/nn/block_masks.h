#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/rng.h"

/// Masks of blocks of patches for masked image modelling (Bao et al. 2022, "BEiT", algorithm 1), as DINOv2 draws them.
namespace astroclip::nn {

/// Of a square grid of side × side patches, row by row: 1 where hidden. Blocks of 4 to half of all patches, of any
/// aspect ratio from 0.3 to 1/0.3 on a logarithmic scale, are put anywhere until `wanted` patches are hidden. Ten draws
/// in a row that hide nothing new, or too much, end it before.
std::vector<float> block_mask(int64_t side, int64_t wanted, Rng& rng);

/// Masks of `count` grids, one after another. The share `masked_share` of them, rounded down and chosen at random, is
/// masked: the i-th of n hides a share of its patches that is uniform in the i-th of n equal slices of [least, most].
/// `rng(i)` is a stream for each i from 0 to `count`.
std::vector<float> block_masks(int64_t count, int64_t side, double masked_share, double least, double most,
                               const std::function<Rng(int64_t)>& rng);

}  // namespace astroclip::nn
