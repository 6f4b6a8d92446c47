#pragma once

#include <string>

#include "api/dataset.h"
#include "experiment/stage.h"

namespace astroclip::run {

/// Seconds for one step of a stage on this machine, measured on a few steps of a temporary model; 0 for a stage without
/// steps. With `keeps_tokens`, for a step that reads the tokens of frozen backbones from a cache.
double seconds_per_step(const Stage& stage, const Dataset& dataset, bool keeps_tokens);

/// Everything that time depends on, as text: equal for stages that differ in seed, learning rate or number of steps.
std::string cost_key(const Stage& stage);

}  // namespace astroclip::run
