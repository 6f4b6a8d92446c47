#include <fmt/format.h>

#include <limits>

#include "backend/call.h"

namespace astroclip::test {

namespace {

constexpr int64_t parameter_sizes[] = {1, 3, 17, 131, 40007};

std::vector<ConstView> gradients(Call& call) {
  std::vector<ConstView> all;
  for (const int64_t size : parameter_sizes) all.push_back(call.random({size}));
  return all;
}

/// All segments in one call, the second with a rate and a decay of its own, the third updated for the first time.
void adamw_case(Call& call, const std::vector<ConstView>& grads, int64_t step, double max_norm) {
  const View clip = call.output("clip", {3}, DType::f64);
  call.backend.gradient_clip(grads, max_norm, clip);
  std::vector<AdamwSegment> segments;
  for (size_t i = 0; i < grads.size(); ++i) {
    const Shape shape = grads[i].shape;
    segments.push_back({call.in_place(fmt::format("parameter {}", i), shape), grads[i],
                        call.in_place(fmt::format("first moment {}", i), shape),
                        call.in_place(fmt::format("second moment {}", i), shape, 0.01, 1.0), i == 1 ? 0.05 : 0.01,
                        i == 1 ? 0.0 : 0.3, i == 2 ? 1 : step});
  }
  AdamwStep settings;
  settings.beta2 = 0.95;
  settings.clip = clip;
  call.backend.adamw(segments, settings);
}

}  // namespace

std::vector<Case> optimiser_cases() {
  std::vector<Case> cases;
  for (const double max_norm : {0.0, 1.0, 1e6}) {
    cases.push_back({"gradient_clip", fmt::format("at {}", max_norm), Exactness::sums, [=](Call& call) {
                       call.backend.gradient_clip(gradients(call), max_norm, call.output("state", {3}, DType::f64));
                     }});
  }
  for (const int64_t step : {1, 7}) {
    for (const double max_norm : {0.0, 1.0}) {
      cases.push_back({"adamw", fmt::format("step {}, clip {}", step, max_norm), Exactness::sums,
                       [=](Call& call) { adamw_case(call, gradients(call), step, max_norm); }});
    }
  }
  cases.push_back({"adamw", "nothing moves unless finite", Exactness::copies, [](Call& call) {
                     std::vector<ConstView> grads = gradients(call);
                     grads[1] = call.values({1.0, std::numeric_limits<double>::infinity(), 0.0}, {3});
                     adamw_case(call, grads, 2, 1.0);
                   }});
  cases.push_back({"exponential_average", "decay 0.9", Exactness::pointwise, [](Call& call) {
                     std::vector<View> targets;
                     for (const int64_t size : parameter_sizes) targets.push_back(call.in_place(fmt::format("{}", size), {size}));
                     call.backend.exponential_average(targets, gradients(call), 0.9);
                   }});
  return cases;
}

}  // namespace astroclip::test
