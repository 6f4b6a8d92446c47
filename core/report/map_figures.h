#pragma once

#include <vector>

#include "report/figure.h"
#include "report/test_objects.h"

namespace astroclip::report {

/// Maps of the test objects' embeddings by UMAP, one for each encoder, coloured by each of their labels.
std::vector<Figure> map_figures(const RunResults& run, const TestObjects& objects);

}  // namespace astroclip::report
