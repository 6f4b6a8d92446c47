#pragma once

#include "api/task.h"

namespace astroclip::retrieval {

/// When two objects agree in a label.
struct Tolerance {
  std::string label;
  double largest = 0.0;  ///< difference, of redshifts over 1 + label; 0: 0.02 of redshifts, else a quarter of the
                         ///< standard deviation of the test objects
};

/// How many of the nearest other objects agree with an object, within each representation and across each pair. The
/// object itself is left out: within a modality it is always nearest, and across modalities its partner says nothing of
/// whether others are like it.
Report agreement(const TaskInput& input, const std::vector<Tolerance>& tolerances);

}  // namespace astroclip::retrieval
