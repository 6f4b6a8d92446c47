#pragma once

#include "tensor/tensor.h"

namespace astroclip::probe {

struct SplineOptions {
  double bound = 3.0;            ///< the spline maps ±bound to itself, and is the identity outside
  bool inverse = false;          ///< x is taken for a value of the spline
  double knot_shift = 0.0;       ///< by which knots are higher when the bin of x is looked for
  double edge_derivative = 1.0;  ///< at ±bound
};

/// Monotonic rational-quadratic splines (Durkan et al. 2019, "Neural spline flows", equations 4 to 8) at x [n · r]: r
/// values in a row for each of n splines. `widths` and `heights` [n, bins] are shares of 2 · bound, which sum to 1;
/// `derivatives` [n, bins − 1] those at the inner knots. Gives y and log |dy/dx| [n · r, 2], both differentiable.
/// Computed on the host in float64.
Tensor rational_quadratic(const Tensor& x, const Tensor& widths, const Tensor& heights, const Tensor& derivatives,
                          const SplineOptions& options);

}  // namespace astroclip::probe
