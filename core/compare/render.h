#pragma once

#include <string>

#include "compare/comparison.h"

namespace astroclip::compare {

/// A table of configurations and measures, one of differences from the baseline where there is one, and what they mean.
/// Best means are bold; * marks a corrected p below 0.05.
std::string to_markdown(const Comparison& comparison);
/// The same as two LaTeX tabulars (package booktabs).
std::string to_latex(const Comparison& comparison);
/// One line for each configuration and measure, every number in full.
std::string to_csv(const Comparison& comparison);

}  // namespace astroclip::compare
