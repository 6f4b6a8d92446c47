#pragma once

#include <cstdint>
#include <vector>

#include "tensor/matrix.h"
#include "tensor/tensor.h"

namespace astroclip::search {

/// Principal components of a wide matrix by randomised subspace iteration (Halko, Martinsson & Tropp 2011, "Finding
/// structure with randomness"): exact to rounding where the spectrum falls off, deterministic for a seed. Of a
/// component's coefficients the largest is positive.
class Pca {
 public:
  /// Fewer components come back where the matrix has fewer: min(rows − 1, columns). Throws Error for fewer than two
  /// rows.
  static Pca fit(const Matrix& rows, int64_t components, uint64_t seed);
  /// Coordinates [rows, components] of centred rows along the components, by falling variance.
  Matrix transform(const Matrix& rows) const;
  int64_t components() const { return basis_.size(0); }
  /// Variance along each component over the fitted rows.
  const std::vector<double>& variances() const { return variances_; }

 private:
  Tensor mean_;   // [columns]
  Tensor basis_;  // [components, columns], orthonormal rows
  std::vector<double> variances_;
};

}  // namespace astroclip::search
