#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace astroclip::report {

/// Values in a bin of another quantity.
struct Bin {
  double from = 0.0, to = 0.0, middle = 0.0;  ///< of that quantity; the middle is its median
  int64_t count = 0;
  double median = 0.0, error = 0.0;  ///< the standard error of the median, of normal values: √(π/2) σ/√n
  double low = 0.0, high = 0.0;      ///< quantiles 0.16 and 0.84
};

/// Of `values` in bins of `by` with equal numbers of objects, at most `bins`, of 20 objects or more each (one bin if
/// there are fewer). What is not finite in either is left out.
std::vector<Bin> binned(std::span<const double> by, std::span<const double> values, int64_t bins);

}  // namespace astroclip::report
