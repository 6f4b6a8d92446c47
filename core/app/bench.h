#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace astroclip::app {

struct BenchSettings {
  double seconds = 3.0;  ///< for each row
  int64_t batch = 0;     ///< of the towers; 0: each its own
  Precision precision = Precision::f32;
};

/// One thing to measure. Either floating-point operations or bytes moved say how much work a call is.
struct BenchWork {
  std::function<void()> run;
  double operations = 0.0;
  double bytes = 0.0;
  double objects = 0.0;  ///< embedded or trained on in a call; 0 for a kernel
  std::string note = {};
};

/// A row of the table; what it needs is made when its turn comes and freed after it.
struct BenchRow {
  std::string name;
  std::function<BenchWork(const BenchSettings&)> make;
  bool in_pytorch = false;  ///< pytorch/bench.py knows the row's work by its name
};

/// The device that is measured: the fastest.
Device bench_device();
/// The product that everything is held against: [2304, 3072] by a packed weight [1024, 3072].
BenchWork bench_product(const BenchSettings& settings);
std::vector<BenchRow> kernel_rows();
/// Embedding and training with the published towers, built through the plugin host.
std::vector<BenchRow> tower_rows();
/// Reading images from HDF5 files in memory (the page cache): through the library, and around its lock.
std::vector<BenchRow> reading_rows();

}  // namespace astroclip::app
