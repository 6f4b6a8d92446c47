#pragma once

#include <string>
#include <vector>

#include "report/run_results.h"

namespace astroclip::report {

/// Writes the report of one run, or of several side by side, to a folder:
///   index.html                        everything in one file, which asks for nothing from elsewhere
///   tables.csv, tables.tex, tables.json  its tables
///   figures/                          scripts of gnuplot and numbers of the figures, and their SVG
/// The same runs give the same bytes. Where there is no gnuplot the page says so, and has the figures' numbers.
void write_report(const std::vector<RunResults>& runs, const std::string& folder);

}  // namespace astroclip::report
