#include <algorithm>
#include <cmath>

#include "backend/reference/reference_backend.h"

namespace astroclip::reference {

void ReferenceBackend::gradient_clip(std::span<const ConstView> gradients, double max_norm, View state) {
  double squares = 0.0;
  for (const ConstView& gradient : gradients) {
    for (int64_t i = 0; i < gradient.numel(); ++i) squares += gradient.as<double>()[i] * gradient.as<double>()[i];
  }
  set_clip_state(std::sqrt(squares), max_norm, state);
}

void ReferenceBackend::adamw(std::span<const AdamwSegment> segments, const AdamwStep& step) {
  const double* clip = step.clip.as<double>();
  if (clip[2] == 0.0) return;
  for (const AdamwSegment& segment : segments) {
    const double correction1 = 1.0 - std::pow(step.beta1, static_cast<double>(segment.step));
    const double correction2 = 1.0 - std::pow(step.beta2, static_cast<double>(segment.step));
    for (int64_t i = 0; i < segment.parameter.numel(); ++i) {
      const double gradient = segment.gradient.as<double>()[i] * clip[1];
      double& m = segment.first_moment.as<double>()[i];
      double& v = segment.second_moment.as<double>()[i];
      double& p = segment.parameter.as<double>()[i];
      m = step.beta1 * m + (1.0 - step.beta1) * gradient;
      v = step.beta2 * v + (1.0 - step.beta2) * gradient * gradient;
      p -= segment.learning_rate * segment.weight_decay * p;
      p -= segment.learning_rate * (m / correction1) / (std::sqrt(v / correction2) + step.epsilon);
    }
  }
}

void ReferenceBackend::exponential_average(std::span<const View> targets, std::span<const ConstView> sources,
                                           double decay) {
  for (size_t k = 0; k < targets.size(); ++k) {
    for (int64_t i = 0; i < targets[k].numel(); ++i) {
      double& target = targets[k].as<double>()[i];
      target += (1.0 - decay) * (sources[k].as<double>()[i] - target);
    }
  }
}

}  // namespace astroclip::reference
