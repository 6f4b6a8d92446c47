#pragma once

#include <string>
#include <vector>

#include "bench/row.h"

namespace astroclip::bench {

struct Request {
  Settings settings;
  std::string only;                  ///< rows whose name contains this
  std::vector<std::string> against;  ///< packages that are measured, too: "pytorch", "scikit-learn", "faiss"
  std::string python;                ///< the Python that has them
};

/// Measures and prints the rows, each beside a large matrix product. Throws Error when no row's name contains `only`
/// and when the device lacks the precision.
void run(const Request& request);

}  // namespace astroclip::bench
