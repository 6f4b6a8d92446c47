#pragma once

#include <string>
#include <vector>

#include "api/task.h"

namespace astroclip::evaluate {

/// "0.797±0.009": to two digits of the error, or one from 35 on; the error joins those over objects and over seeds. "–"
/// of what is not finite.
std::string metric_text(const Metric& metric);
/// "model", "floor", "baseline"
std::string role_name(Role role);
/// Tables for a terminal: a line for each measurement with its objects and errors, floors and baselines marked as such.
std::string report_text(const std::vector<Report>& reports);
/// The same as JSON.
std::string report_json(const std::vector<Report>& reports);
/// Reads a file of report_json. Throws Error naming the file when it is anything else.
std::vector<Report> read_report(const std::string& path);

}  // namespace astroclip::evaluate
