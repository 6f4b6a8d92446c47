#pragma once

#include <vector>

#include "report/figure.h"
#include "report/test_objects.h"

namespace astroclip::report {

/// Predicted against true numbers, and residuals by redshift and by magnitude: a figure for each label and modality,
/// from the model's representation by the most able probe.
std::vector<Figure> prediction_figures(const RunResults& run, const TestObjects& objects,
                                       const std::vector<StoredPrediction>& predictions);

}  // namespace astroclip::report
