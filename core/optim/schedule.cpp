#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace astroclip::optim {

double warmup_cosine(int64_t step, double peak, double min_lr, int64_t warmup, int64_t total) {
  if (step < warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
  const double span = static_cast<double>(std::max<int64_t>(1, total - warmup));
  const double progress = std::min(1.0, static_cast<double>(step - warmup) / span);
  return min_lr + 0.5 * (peak - min_lr) * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace astroclip::optim
