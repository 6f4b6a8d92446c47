#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace astroclip::optim {

double cosine(int64_t step, double begin, double end, int64_t total) {
  const double progress = std::min(1.0, static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, total)));
  return end + 0.5 * (begin - end) * (1.0 + std::cos(std::numbers::pi * progress));
}

double warmup_cosine(int64_t step, double peak, double min_lr, int64_t warmup, int64_t total,
                     bool warmup_ends_at_peak) {
  if (step >= warmup) return cosine(step - warmup, peak, min_lr, total - warmup);
  const int64_t intervals = warmup_ends_at_peak ? warmup - 1 : warmup;
  return intervals == 0 ? 0.0 : peak * static_cast<double>(step) / static_cast<double>(intervals);
}

}  // namespace astroclip::optim
