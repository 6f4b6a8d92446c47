#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace astroclip::nn {

/// Stochastic depth (Huang et al. 2016): in training, a branch of a block is computed for some samples of a batch only,
/// and its values are scaled up in turn.
struct StochasticDepth {
  enum class Draw {
    fixed_share,  ///< max(⌊batch · (1 − rate)⌋, 1) samples, as DINOv2 draws them; each counts batch / samples times
    independent  ///< each sample by itself with the probability 1 − rate; each counts 1 / (1 − rate) times
  };
  double rate = 0.0;    ///< share of the samples that skip a branch
  bool uniform = true;  ///< the same in every block; otherwise from 0 in the first to `rate` in the last
  Draw draw = Draw::fixed_share;
};

/// Samples for which a branch is computed.
struct KeptSamples {
  KeptSamples() = default;
  KeptSamples(std::vector<int64_t> samples, double scale, Device device);
  std::vector<int64_t> samples;  ///< ascending
  Tensor index;                  ///< the same on the device; undefined where none is kept
  double scale = 1.0;            ///< of what the branch adds
};

/// A draw among `batch` samples, from a stream keyed by `seed`.
KeptSamples draw_kept(int64_t batch, const StochasticDepth& options, uint64_t seed, Device device);

}  // namespace astroclip::nn
