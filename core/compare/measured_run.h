#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/task.h"

namespace astroclip::compare {

/// One number of a run's report, with a name that tells it from the report's others: "R² image knn".
struct Measured {
  std::string name;
  Better better = Better::more;
  bool is_first = false;  ///< of its line: the metric that the task puts foremost
  double value = 0.0;
};

/// What a finished run tells.
struct MeasuredRun {
  std::string path;
  std::string label;          ///< its folder's name; in a sweep without the seed
  std::string configuration;  ///< resolved TOML without what may differ between seeds
  int64_t seed = 0;
  std::vector<Measured> measures;  ///< of what was trained, not of baselines
};

/// What a run's report.json says of what was trained. Throws Error naming the file when it is damaged.
std::vector<Measured> read_report(const std::string& path);

/// Runs' folders and those of sweeps, whose finished runs they stand for. `left_out` counts a sweep's unfinished runs.
/// Throws Error naming the folder that holds neither or whose run is unfinished.
std::vector<MeasuredRun> read_runs(const std::vector<std::string>& paths, size_t& left_out);

}  // namespace astroclip::compare
