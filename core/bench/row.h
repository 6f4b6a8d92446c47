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
  Device device = Device::host();
  bool small = false;  ///< small towers and shapes: every row can be tried, no rate means anything

  /// Whether calls queue work that ends later.
  bool on_card() const { return !is_host_memory(device); }
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

/// What every rate is compared with: [2304, 3072] by a packed weight [1024, 3072]; on a card 8192 by 8192 by 8192.
Work reference_product(const Settings& settings);
/// On a card, what rates of bytes are compared with: a copy of 2 GiB.
Work reference_copy(const Settings& settings);
/// Ops at the shapes of the published towers and, on a card, at their batches there.
std::vector<Row> kernel_rows(bool on_card);
/// Embedding and training with the published towers, made by the plugin host.
std::vector<Row> tower_rows(bool on_card);
/// Training as a run does it, on a card.
std::vector<Row> engine_rows();
/// Exact nearest neighbours, and ranks of partners.
std::vector<Row> search_rows();
/// Reading images from HDF5 files that the page cache holds, through the library and around its lock.
std::vector<Row> reading_rows();
/// What the loader makes of such files: an image for embedding, the crops of DINOv2; beside a card with all processors.
std::vector<Row> loading_rows(bool on_card);

}  // namespace astroclip::bench
