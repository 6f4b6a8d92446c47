#pragma once

#include <optional>
#include <string>
#include <vector>

#include "record/run_folder.h"
#include "sweep/plan.h"

namespace astroclip::sweep {

enum class State { fresh, begun, finished };

/// A sweep's files:
///   sweep.toml   the experiment with its [sweep], by which the sweep goes on
///   NAME/        the folder of each run
///   tokens/      what frozen backbones give, for all runs
class SweepFolder {
 public:
  explicit SweepFolder(std::string path) : path_(std::move(path)) {}

  /// Whether a folder was made by a sweep.
  static bool holds_sweep(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file() const { return path_ + "/sweep.toml"; }
  std::string tokens() const { return path_ + "/tokens"; }
  std::string run(const PlannedRun& run) const { return path_ + "/" + run.name; }

  /// How far a run is. Throws Error, naming the first difference, when its folder holds another experiment.
  State state(const PlannedRun& run) const;
  /// The run's folder, made where it is not there.
  record::RunFolder open(const PlannedRun& run) const;
  /// The plan's runs: for each stage of `run` a file of a run that ended an equal stage; "" where there is none.
  std::vector<std::string> ended_stages(const Plan& plan, const PlannedRun& run) const;

 private:
  std::string path_;
};

/// For each stage of a run the first run of the plan that has an equal one; itself when no earlier one has.
std::vector<const PlannedRun*> first_with_stages(const Plan& plan, const PlannedRun& run);

}  // namespace astroclip::sweep
