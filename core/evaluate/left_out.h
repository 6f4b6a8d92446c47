#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/task.h"

namespace astroclip::evaluate {

/// Leaves objects out of the representations of both splits, so that all of a modality are of the same objects and all
/// vectors are finite: those for which one of the representations is not finite although they have the modality, and
/// those that lack the labels of a floor of labels. Gives a sentence about each representation that objects are left
/// out for, with their number and first ids. Throws Error when a representation is not finite for more than
/// `largest_share` of its objects.
std::vector<std::string> leave_out(TaskInput& input, double largest_share);

}  // namespace astroclip::evaluate
