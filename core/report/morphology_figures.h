#pragma once

#include <vector>

#include "report/figure.h"
#include "report/run_results.h"

namespace astroclip::report {

/// Of the task 'morphology': the accuracy of every question, and which answers are taken for which.
std::vector<Figure> morphology_figures(const RunResults& run);

}  // namespace astroclip::report
