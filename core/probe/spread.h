#pragma once

#include "tensor/matrix.h"

/// How far a representation is from collapse, from the vectors of some objects alone.
namespace astroclip::probe {

/// RankMe, the effective rank of rows [objects, width] (Garrido et al. 2023, equation 1): exp of the entropy of their
/// singular values, which lies between 1, where all rows lie on one line through the origin, and min(objects, width).
double effective_rank(const Matrix& rows);

/// √width times the mean over columns of the standard deviation of rows of length 1 (Chen & He 2021, "SimSiam",
/// section 4.1): 0 where all rows have the same direction, near 1 where they have every direction alike.
double feature_deviation(const Matrix& rows);

}  // namespace astroclip::probe
