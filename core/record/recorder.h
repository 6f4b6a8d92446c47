#pragma once

#include <string>
#include <vector>

#include "record/event_file.h"
#include "record/metrics.h"
#include "record/run_folder.h"

namespace astroclip::record {

/// The metrics of a run, as JSON lines and for TensorBoard.
class Recorder {
 public:
  /// For a run that resumes after `step` steps of stage number `stage`; −1 for a new run.
  Recorder(const RunFolder& folder, const std::vector<std::string>& stages, int64_t stage, int64_t step);

  /// Writes the metrics of a step, with the time.
  void write(const std::string& stage, int64_t step, const Metrics& values);
  /// Call before a checkpoint is written: metrics on disk must not be behind it.
  void sync() { metrics_.sync(); }

 private:
  MetricsFile metrics_;
  EventFile events_;
};

}  // namespace astroclip::record
