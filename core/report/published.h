#pragma once

#include <string>

#include "api/task.h"

namespace astroclip::report {

/// The number that AstroCLIP (Parker et al. 2024, MNRAS 531, 4990) published for a line and metric of a report; NaN
/// where there is none, and of other data than the published pairs, which are known by how many they are: `objects`.
double published(const Report& report, const Measurement& line, const std::string& metric, int64_t objects);

}  // namespace astroclip::report
