#include "train/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace astroclip::train {

namespace {

double value_of(const std::string& metric, const record::Metrics& metrics) {
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics) {
    if (name == metric) return value;
    names.push_back(name);
  }
  throw Error(fmt::format("[stages.validation] there is no metric '{}' ({}){}", metric, fmt::join(names, ", "),
                          suggestion(metric, names)));
}

}  // namespace

Selection::Selection(const ValidationSpec& spec)
    : spec_(spec),
      state_(Tensor::from_host(std::vector<double>{0.0, -1.0, 0.0, -1.0, 0.0}, {slots}, DType::f64, Device::host())) {}

bool Selection::due(int64_t step, int64_t steps) const {
  if (spec_.every == 0 || at(last_step) == static_cast<double>(step)) return false;
  return step % spec_.every == 0 || step == steps;
}

bool Selection::offer(int64_t step, const record::Metrics& metrics) {
  const double value = value_of(spec_.metric, metrics);
  const bool better = !has_best() || (spec_.mode == "min" ? value < at(best) : value > at(best));
  double* state = state_.mutable_data_as<double>();
  state[last] = value;
  state[last_step] = static_cast<double>(step);
  if (step == 0) return false;
  if (!std::isfinite(value) || !better) {
    state[fruitless] += 1.0;
    return false;
  }
  state[best] = value;
  state[best_step] = static_cast<double>(step);
  state[fruitless] = 0.0;
  return true;
}

}  // namespace astroclip::train
