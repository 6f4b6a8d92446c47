#pragma once

#include <cstdint>

namespace astroclip::optim {

/// A cosine from `begin` at step 0 to `end` at step `total`, where it stays.
double cosine(int64_t step, double begin, double end, int64_t total);

/// Linear warm-up from 0, then a cosine from `peak` to `min_lr` that ends at `total` and stays. Step counts from 0. The
/// first step after the warm-up has the peak, as in AstroCLIP's schedule, and with `warmup_ends_at_peak` its last step,
/// too, as in DINOv2's.
double warmup_cosine(int64_t step, double peak, double min_lr, int64_t warmup, int64_t total,
                     bool warmup_ends_at_peak = false);

}  // namespace astroclip::optim
