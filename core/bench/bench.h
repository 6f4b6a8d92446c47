#pragma once

#include <string>
#include <vector>

#include "bench/peer.h"
#include "bench/row.h"

namespace astroclip::bench {

struct Request {
  Settings settings;
  std::string only;                  ///< rows whose name contains this
  std::vector<std::string> against;  ///< packages that are measured, too: "pytorch", "scikit-learn", "faiss"
  std::string python;                ///< the Python that has them
  CardPeer::Options on_card = {};    ///< how they are measured there
  std::string json;                  ///< a file that gets every result as a line of JSON; "": none
};

/// Measures and prints the rows, each beside a large matrix product. On a card every row is measured before any
/// package starts, and a row that fails does not keep the others from being measured. Throws Error when no row's name
/// contains `only`, when the device lacks the precision, and at the end when a row failed.
void run(const Request& request);

}  // namespace astroclip::bench
