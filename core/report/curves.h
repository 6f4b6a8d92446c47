#pragma once

#include <vector>

#include "report/figure.h"
#include "report/run_results.h"

namespace astroclip::report {

/// The training and validation loss of every stage, of all runs in one figure.
std::vector<Figure> curve_figures(const std::vector<RunResults>& runs);

}  // namespace astroclip::report
