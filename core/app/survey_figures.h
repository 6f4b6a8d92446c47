#pragma once

#include <string>

#include "api/dataset.h"

namespace astroclip::app {

/// Writes figures of a simulated survey beside published relations into a folder that exists: each as a table NAME.dat,
/// a gnuplot script NAME.gp and, where gnuplot is installed, NAME.png. Prints the tables otherwise, and what colours
/// say of redshift. `recipe` stands in every file.
void write_survey_figures(const Dataset& survey, const std::string& recipe, const std::string& folder);

}  // namespace astroclip::app
