#pragma once

#include <string>
#include <vector>

#include "experiment/stage.h"

namespace astroclip {

/// The encoders that the stages up to and including this one train or load, in the experiment's order.
std::vector<std::string> encoders_up_to(const Stage& stage);

/// Everything that the weights of `encoders_up_to` depend on at the end of a stage, as text: the sections that the
/// stage and those before it read. They read [evaluation] and [[tasks]] where validations run tasks, whose metrics may
/// select the weights and end the stage. Runs on one machine with equal texts have bitwise equal weights.
std::string stage_key(const Stage& stage);

}  // namespace astroclip
