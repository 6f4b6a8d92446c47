#include "train/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "config/schema.h"

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

/// The lower, the better.
double cost(double value, Extremum mode) {
  if (mode == Extremum::zero) return std::abs(value);
  return mode == Extremum::max ? -value : value;
}

const config::Schema<Selection::State>& state_schema() {
  using State = Selection::State;
  static const auto schema = config::Schema<State>("Validations so far.")
                                 .required("best", &State::best, "value of the best")
                                 .required("best_step", &State::best_step, "finished steps of the best; -1: none")
                                 .required("last", &State::last, "value of the last")
                                 .required("last_step", &State::last_step, "finished steps of the last; -1: none")
                                 .required("no_improvement", &State::no_improvement, "validations since the best");
  return schema;
}

}  // namespace

bool Selection::due(int64_t step, int64_t steps) const {
  if (spec_.every == 0 || state_.last_step == step) return false;
  return step % spec_.every == 0 || step == steps;
}

bool Selection::offer(int64_t step, const record::Metrics& metrics) {
  const double value = value_of(spec_.metric, metrics);
  const bool better = !has_best() || cost(value, spec_.mode) < cost(state_.best, spec_.mode);
  state_.last = value;
  state_.last_step = step;
  if (step == 0) return false;
  if (!std::isfinite(value) || !better) {
    ++state_.no_improvement;
    return false;
  }
  state_.best = value;
  state_.best_step = step;
  state_.no_improvement = 0;
  return true;
}

config::Table Selection::state() const { return state_schema().dump(state_); }

void Selection::restore(const config::Table& state, const std::string& place) {
  config::Problems problems;
  state_ = state_schema().parse(state, {place}, {}, problems);
  problems.throw_if_any();
}

}  // namespace astroclip::train
