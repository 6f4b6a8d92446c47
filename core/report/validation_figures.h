#pragma once

#include <vector>

#include "report/figure.h"
#include "report/run_results.h"

namespace astroclip::report {

/// What the loss of each stage drew of a few objects at its last validation: spectra with what was hidden from the
/// encoder and what it made of the rest. None of a run without. Throws Error naming a damaged file.
std::vector<Figure> validation_figures(const RunResults& run);

}  // namespace astroclip::report
