#pragma once

#include <vector>

#include "report/figure.h"
#include "report/test_objects.h"

namespace astroclip::report {

/// Maps of the test objects' embeddings by UMAP, one for each encoder, coloured by up to six labels: redshift,
/// magnitude, and first of the others what the run predicts.
std::vector<Figure> map_figures(const RunResults& run, const TestObjects& objects,
                                const std::vector<StoredPrediction>& predictions);

}  // namespace astroclip::report
