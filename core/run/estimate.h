#pragma once

#include <string>

#include "api/dataset.h"
#include "experiment/stage.h"

namespace astroclip::run {

/// Seconds that a step of a stage takes here and now, from a few steps of a fresh model that is then thrown away; 0 for
/// a stage without steps. With `keeps_tokens`, of a step that finds the tokens of frozen backbones in a cache.
double seconds_per_step(const Stage& stage, const Dataset& dataset, bool keeps_tokens);

/// What that time depends on, as text: equal for stages that differ in seeds, learning rates or numbers of steps.
std::string cost_key(const Stage& stage);

}  // namespace astroclip::run
