#pragma once

#include <optional>
#include <string>
#include <vector>

#include "record/run_folder.h"
#include "sweep/plan.h"

namespace astroclip::sweep {

enum class State { fresh, begun, finished };

/// A sweep's files:
///   sweep.toml   the experiment with its [sweep], from which the sweep resumes
///   NAME/        the folder of each run
///   tokens/      cached tokens of frozen backbones, shared by all runs
class SweepFolder {
 public:
  explicit SweepFolder(std::string path) : path_(std::move(path)) {}

  /// Whether a folder is that of a sweep.
  static bool holds_sweep(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file() const { return path_ + "/sweep.toml"; }
  std::string tokens() const { return path_ + "/tokens"; }
  std::string run(const PlannedRun& run) const { return path_ + "/" + run.name; }

  /// The state of a run. Throws Error with the first difference when its folder is of another experiment.
  State state(const PlannedRun& run) const;
  /// The run's folder; created if it does not exist.
  record::RunFolder open(const PlannedRun& run) const;
  /// For each stage of `run`, the weights that another run of the plan finished an equal stage with; "" for none.
  std::vector<std::string> ended_stages(const Plan& plan, const PlannedRun& run) const;

 private:
  std::string path_;
};

/// For each stage of a run, the first run of the plan with an equal stage; itself when no earlier run has one.
std::vector<const PlannedRun*> first_with_stages(const Plan& plan, const PlannedRun& run);

}  // namespace astroclip::sweep
