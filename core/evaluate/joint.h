#pragma once

#include <vector>

#include "api/task.h"
#include "experiment/experiment.h"

namespace astroclip::evaluate {

/// Adds what `[evaluation] joint` asks for: representations of several encoders side by side, of each name that all of
/// them have one of ("aligned", "untrained"), of the objects that all describe.
void add_joint(const Experiment& experiment, std::vector<Representation>& representations);

/// Throws Error unless it names two encoders or more that are there.
void check_joint(const Experiment& experiment);

}  // namespace astroclip::evaluate
