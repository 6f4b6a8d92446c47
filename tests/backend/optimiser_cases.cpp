#include <fmt/format.h>

#include <limits>

#include "backend/call.h"

namespace astroclip::test {

namespace {

const std::vector<int64_t> parameter_sizes = {1, 3, 17, 131, 40007};

/// As many as a large model has.
std::vector<int64_t> hundreds_of_sizes() {
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < 300; ++i) sizes.push_back(i * i % 41);
  return sizes;
}

std::vector<ConstView> gradients(Call& call, const std::vector<int64_t>& sizes = parameter_sizes) {
  std::vector<ConstView> all;
  for (const int64_t size : sizes) all.push_back(call.random({size}));
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
  cases.push_back({"adamw", "hundreds of arrays", Exactness::sums,
                   [](Call& call) { adamw_case(call, gradients(call, hundreds_of_sizes()), 2, 1.0); }});
  for (const auto& sizes : {parameter_sizes, hundreds_of_sizes()}) {
    cases.push_back({"exponential_average", fmt::format("decay 0.9, {} arrays", sizes.size()), Exactness::pointwise,
                     [=](Call& call) {
                       std::vector<View> targets;
                       for (size_t i = 0; i < sizes.size(); ++i) {
                         targets.push_back(call.in_place(fmt::format("{}", i), {sizes[i]}));
                       }
                       call.backend.exponential_average(targets, gradients(call, sizes), 0.9);
                     }});
  }
  return cases;
}

}  // namespace astroclip::test
