#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "experiment/experiment.h"

namespace astroclip::evaluate {

/// Test objects that are training objects, too.
struct InBoth {
  std::vector<bool> test_rows;  ///< for each row of the test split
  int64_t by_position = 0;      ///< of them, those whose object_id the training split has not
};
/// Objects with the same object_id, or within data::same_object_radius of each other, are one object.
InBoth in_both_splits(const Dataset& dataset);

/// What the experiment does with test objects that are training objects, too, as a sentence; "" when there are none.
/// Throws Error when it refuses them, or when it excludes them and no other is left.
std::string describe_overlap(const Experiment& experiment, const InBoth& in_both);

}  // namespace astroclip::evaluate
