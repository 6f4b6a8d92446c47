#pragma once

#include <string>
#include <vector>

#include "record/event_file.h"
#include "record/metrics.h"
#include "record/run_folder.h"

namespace astroclip::record {

/// A run's numbers, for programs and for TensorBoard.
class Recorder {
 public:
  /// A run that goes on from `step` finished steps of stage number `stage`; −1 for one that begins.
  Recorder(const RunFolder& folder, const std::vector<std::string>& stages, int64_t stage, int64_t step);

  /// Of one step; the time is added.
  void write(const std::string& stage, int64_t step, const Metrics& values);
  /// Call before a checkpoint, which must not be ahead of the numbers that lead to it.
  void sync() { metrics_.sync(); }

 private:
  MetricsFile metrics_;
  EventFile events_;
};

}  // namespace astroclip::record
