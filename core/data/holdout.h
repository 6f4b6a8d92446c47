#pragma once

#include <cstdint>
#include <vector>

#include "api/dataset.h"

namespace astroclip::data {

/// Rows of the training split: those to train on, and those set apart for validation.
struct RowSplit {
  std::vector<int64_t> training, validation;
};

/// Holds about `share` of the rows out for validation. An object's fate is a draw keyed by (seed, object_id) alone, the
/// least object_id where group_objects joins several: every observation of it falls on the same side, in every stage,
/// whatever other objects a file has.
RowSplit split_validation(const Dataset& dataset, std::vector<int64_t> rows, double share, uint64_t seed);

}  // namespace astroclip::data
