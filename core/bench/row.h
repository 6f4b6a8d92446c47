#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace astroclip::bench {

struct Settings {
  double seconds = 3.0;  ///< to measure each row
  int64_t batch = 0;     ///< of the towers; 0: each tower's own
  Precision precision = Precision::f32;
};

/// One thing to measure. Floating-point operations or bytes moved say how much work a call is.
struct Work {
  std::function<void()> run;
  double operations = 0.0;
  double bytes = 0.0;
  double objects = 0.0;  ///< embedded or trained on in a call; 0 for a kernel
  std::string note = {};
};

/// A row of the table. Its work is made when its turn comes and freed after it.
struct Row {
  std::string name;
  std::function<Work(const Settings&)> make;
  std::vector<std::string> peers = {};  ///< packages whose script in tools/peers/ has work of this name
};

/// The device that is measured: the fastest.
Device device();
/// The product that every rate is compared with: [2304, 3072] by a packed weight [1024, 3072].
Work reference_product(const Settings& settings);
std::vector<Row> kernel_rows();
/// Embedding and training with the published towers, made by the plugin host.
std::vector<Row> tower_rows();
/// Exact nearest neighbours, and ranks of partners.
std::vector<Row> search_rows();
/// Reading images from HDF5 files that the page cache holds: through the library, around its lock, and as the loader
/// does with the views of a batch.
std::vector<Row> reading_rows();

}  // namespace astroclip::bench
