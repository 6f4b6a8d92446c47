#pragma once

#include <string>
#include <vector>

#include "api/task.h"

namespace astroclip::evaluate {

/// Tables for a terminal: a line for each measurement with its objects and errors, floors and baselines marked as such.
std::string report_text(const std::vector<Report>& reports);
/// The same as JSON.
std::string report_json(const std::vector<Report>& reports);
/// Reads a file of report_json. Throws Error naming the file when it is anything else.
std::vector<Report> read_report(const std::string& path);

}  // namespace astroclip::evaluate
