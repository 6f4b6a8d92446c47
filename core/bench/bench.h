#pragma once

#include <string>

#include "bench/row.h"

namespace astroclip::bench {

struct Request {
  Settings settings;
  std::string only;    ///< rows whose name contains this
  std::string python;  ///< the Python whose PyTorch is measured, too; "" for none
};

/// Measures and prints the rows, each beside a large matrix product. Throws Error when no row's name contains `only`
/// and when the device lacks the precision.
void run(const Request& request);

}  // namespace astroclip::bench
