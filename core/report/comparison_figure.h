#pragma once

#include <vector>

#include "report/figure.h"
#include "report/result_tables.h"

namespace astroclip::report {

/// R² of the models of several runs beside each other, with errors; none without a line of which several runs have it.
std::vector<Figure> comparison_figures(const std::vector<ResultTable>& tables, const std::vector<RunResults>& runs);

}  // namespace astroclip::report
