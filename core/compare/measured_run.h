#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evaluate/measure.h"
#include "experiment/provenance.h"

namespace astroclip::compare {

/// What a finished run tells.
struct MeasuredRun {
  std::string path;
  std::string label;          ///< its folder's name; in a sweep without the seed
  std::string configuration;  ///< resolved TOML without what may differ between seeds
  int64_t seed = 0;
  std::vector<evaluate::Measure> measures;  ///< of the model, not of floors and baselines
  Provenance provenance = {};               ///< data and code that it was made with
};

/// What runs are compared by, of a run's report.json. Throws Error naming the file when it is damaged.
std::vector<evaluate::Measure> read_measures(const std::string& path);

/// Folders of finished runs: those named, and of sweeps those of their finished runs. `left_out` counts a sweep's
/// unfinished runs. Throws Error naming the folder that holds neither or whose run is unfinished.
std::vector<std::string> run_folders(const std::vector<std::string>& paths, size_t& left_out);

/// The runs that run_folders gives.
std::vector<MeasuredRun> read_runs(const std::vector<std::string>& paths, size_t& left_out);

}  // namespace astroclip::compare
