#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// How well densities of a number agree with its true values.
namespace astroclip::probe {

/// Densities of a number for some objects, on one grid. They are linear between its points, zero outside, and of
/// integral 1 by the trapezoidal rule; their cumulative distributions are linear between its points, too (as qp's
/// "interp" has both).
class Densities {
 public:
  /// `grid` rises; `values` [objects, points] are not negative and are scaled to the integral 1. Throws Error
  /// otherwise, and when a density is zero everywhere.
  Densities(std::vector<double> grid, std::vector<double> values);

  int64_t count() const { return static_cast<int64_t>(values_.size() / grid_.size()); }
  const std::vector<double>& grid() const { return grid_; }
  double density(int64_t object, double at) const;
  /// The cumulative distribution; at an object's true value it is its probability integral transform (PIT).
  double cumulative(int64_t object, double at) const;
  /// Where the cumulative distribution has a value between 0 and 1.
  double quantile(int64_t object, double share) const;
  /// ∫ (cumulative − [y ≥ truth])² dy (Gneiting & Raftery 2007, equation 20), in the number's unit.
  double crps(int64_t object, double truth) const;
  /// ∫ density² dy − 2 · density at the truth (Izbicki & Lee 2017), in units of 1/number.
  double cde_loss(int64_t object, double truth) const;

 private:
  /// The first grid point of the interval that holds `at`, which is within the grid.
  size_t interval(double at) const;
  std::span<const double> of(const std::vector<double>& all, int64_t object) const;

  std::vector<double> grid_, values_, cumulative_;  ///< [objects, points]
};

/// The Kolmogorov-Smirnov statistic of values between 0 and 1 against the uniform distribution: the largest difference
/// of their cumulative distribution from it. NaN of none.
double distance_from_uniform(std::vector<double> values);

/// The share of values of the probability integral transform within the central interval of that probability.
double coverage(std::span<const double> transforms, double probability);

/// Densities of samples [objects, samples] on a grid of equal steps: a Gaussian kernel with Silverman's width, 0.9 ·
/// min(deviation, IQR / 1.349) · samples^(−1/5) (Silverman 1986, equation 3.31), and at least a step. Samples are drawn
/// towards their mean by the factor √(1 − width²/variance), so that the density has their variance.
std::vector<double> kernel_densities(const std::vector<double>& samples, int64_t samples_of_each,
                                     const std::vector<double>& grid);

}  // namespace astroclip::probe
