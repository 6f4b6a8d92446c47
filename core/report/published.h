#pragma once

#include <string>

#include "api/task.h"
#include "report/run_results.h"

namespace astroclip::report {

/// The number that AstroCLIP (Parker et al. 2024, MNRAS 531, 4990) published for a line and metric of a report; NaN
/// where there is none, and of other data than the published: for redshift and properties the published pairs, which
/// are known by how many they are, for morphology volunteers' votes of Galaxy Zoo DECaLS.
double published(const Report& report, const Measurement& line, const std::string& metric, const RunResults& run);

/// What was published beside those numbers for other methods, in a sentence; "" where nothing was.
std::string published_rivals(const Report& report, const RunResults& run);

}  // namespace astroclip::report
