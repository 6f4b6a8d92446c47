#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "data/fields.h"
#include "data/view_maker.h"
#include "tensor/tensor.h"

namespace astroclip::data {

/// What one step trains on.
struct Batch {
  int64_t step = 0;
  std::vector<int64_t> rows;               ///< of the split
  std::map<std::string, HostArray> views;  ///< by view name: f32 [rows · crops, view shape], a row's crops together
  std::map<std::string, std::vector<double>> labels;
  std::map<std::string, std::vector<HostArray>> kept;  ///< what LoaderOptions::kept read, by its name
};

/// Reads arrays of some rows of the split from elsewhere than the dataset. Loader threads call it at the same time.
using RowsReader = std::function<std::vector<HostArray>(std::span<const int64_t> rows)>;

struct LoaderOptions {
  Split split = Split::train;
  int64_t batch = 64;
  int64_t first_step = 0;
  int64_t steps = 0;  ///< one past the last step
  uint64_t seed = 0;
  uint64_t stream = 0;  ///< sets streams of stages apart
  int threads = 1;
  bool shuffle = true;  ///< false: rows in order, the last batch may be short
  std::pmr::memory_resource* memory = std::pmr::get_default_resource();  ///< of views; pinned_memory of their device
  std::map<std::string, RowsReader> kept = {};  ///< read with each batch
};

/// Views on a device, in its compute dtype. Those in pinned memory are on their way when it returns; they may be
/// released.
Tensor upload(const HostArray& views, Device device);
/// The same into a tensor of their shape and the device's compute dtype.
void upload(const HostArray& views, Tensor& to);

/// Reads objects and makes their views ahead of the training loop on threads of its own, which run at lower priority
/// and never call ops. What a batch holds depends on (seed, stream, step) alone. Not thread-safe for the consumer.
class Loader {
 public:
  Loader(const Dataset& dataset, std::vector<int64_t> rows, const std::vector<ViewPlan>& views,
         std::vector<std::string> labels, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next step's batch, in order. Rethrows what went wrong in a loader thread.
  Batch next();
  /// Seconds the consumer has waited for batches so far.
  double waited() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace astroclip::data
