#include "record/recorder.h"

#include <chrono>
#include <cmath>

namespace astroclip::record {

namespace {

/// Seconds since 1970, to the millisecond.
double now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count()) / 1e3;
}

}  // namespace

Recorder::Recorder(const RunFolder& folder, const std::vector<std::string>& stages, int64_t stage, int64_t step)
    : metrics_(folder.metrics(), stages, stage, step), events_(folder.events(), folder.metrics()) {}

void Recorder::write(const std::string& stage, int64_t step, const Metrics& values) {
  MetricsLine line{stage, step, {{"time", now()}}};
  for (const auto& entry : values) {
    if (std::isfinite(entry.second)) line.values.push_back(entry);
  }
  metrics_.write(line);
  events_.write(line);
}

}  // namespace astroclip::record
