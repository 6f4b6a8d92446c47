#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace astroclip::train {

using Metrics = std::vector<std::pair<std::string, double>>;

/// The run's numbers, one JSON object a line: {"stage": …, "step": …, "loss": …}. A resumed run drops the lines past
/// its checkpoint first, so that every step stands there once.
class MetricsFile {
 public:
  /// Keeps lines of stages before `stage`, and of that stage those up to `step`. Throws Error naming the path.
  MetricsFile(const std::string& path, const std::vector<std::string>& stages, int64_t stage, int64_t step);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  /// `step` counts finished steps, from 1.
  void write(const std::string& stage, int64_t step, const Metrics& values);

 private:
  std::string path_;
  std::FILE* file_ = nullptr;
};

}  // namespace astroclip::train
