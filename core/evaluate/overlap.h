#pragma once

#include <string>
#include <vector>

#include "api/dataset.h"
#include "experiment/experiment.h"

namespace astroclip::evaluate {

/// For each row of the test split, whether its object_id is in the training split, too.
std::vector<bool> in_both_splits(const Dataset& dataset);

/// What the experiment does with test objects that are training objects, too, as a sentence; "" when there are none.
/// Throws Error when it refuses them, or when it excludes them and no other is left.
std::string describe_overlap(const Experiment& experiment, const std::vector<bool>& in_both);

}  // namespace astroclip::evaluate
