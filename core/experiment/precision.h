#pragma once

#include <string>

#include "backend/backend.h"

namespace astroclip {

const char* name_of(Precision precision);

/// Arithmetic rates of matrix products on a device, in operations per second.
struct ProductRates {
  double f32 = 0.0;
  double bf16 = 0.0;  ///< 0: the device does not multiply bf16
};

/// What "auto" stands for on a device.
struct PrecisionChoice {
  Precision precision = Precision::f32;
  std::string reason;  ///< "bf16 products are 5.0 times as fast as f32 ones (700 and 140 GFLOP/s on one core)"
};

/// bf16 where its products are at least 1.2 times as fast as those in f32.
PrecisionChoice choose_precision(const ProductRates& rates);

/// bf16, which tensor cores are for.
const PrecisionChoice& precision_of_cards();

/// On a card that of cards. Elsewhere what the device's rates say, which the first call in a process measures in some
/// milliseconds.
const PrecisionChoice& fastest_precision(Device device);

}  // namespace astroclip
