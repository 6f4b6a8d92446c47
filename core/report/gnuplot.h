#pragma once

#include <string>
#include <vector>

namespace astroclip::report {

/// Whether gnuplot is on the PATH.
bool has_gnuplot();

/// Lets gnuplot run scripts of a folder in it, one after the other. Returns whether it ran to the end of the last one.
bool run_gnuplot(const std::string& folder, const std::vector<std::string>& scripts);

/// Text as a constant of gnuplot's language, on one line.
std::string gnuplot_text(const std::string& text);

}  // namespace astroclip::report
