#pragma once

#include <vector>

#include "report/figure.h"
#include "report/test_objects.h"

namespace astroclip::report {

/// Of the task 'posterior': the distribution of the probability integral transform, and how many true values lie within
/// central intervals, for each label.
std::vector<Figure> posterior_figures(const std::vector<StoredPrediction>& predictions);

}  // namespace astroclip::report
