#pragma once

#include <vector>

#include "report/figure.h"
#include "report/run_results.h"

namespace astroclip::report {

/// Of the task 'morphology': the accuracy of every question, and which answers are taken for which by the most able
/// probe of each modality.
std::vector<Figure> morphology_figures(const RunResults& run);

/// Whether a report of that title says which answers are taken for which.
bool is_confusion(const std::string& title);

}  // namespace astroclip::report
