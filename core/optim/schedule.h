#pragma once

#include <cstdint>

namespace astroclip::optim {

/// Linear warm-up from 0, then a cosine from `peak` to `min_lr` that ends at `total` and stays.
/// Step counts from 0; the published schedule's numbers hold exactly.
double warmup_cosine(int64_t step, double peak, double min_lr, int64_t warmup, int64_t total);

}  // namespace astroclip::optim
