#pragma once

#include <string>
#include <vector>

#include "api/task.h"

namespace astroclip::evaluate {

/// Tables for a terminal: a line a measurement, baselines marked and below what they are a floor for.
std::string report_text(const std::vector<Report>& reports);
/// The same as JSON.
std::string report_json(const std::vector<Report>& reports);

}  // namespace astroclip::evaluate
