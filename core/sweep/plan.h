#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiment/experiment.h"

namespace astroclip::sweep {

/// One combination of a sweep.
struct PlannedRun {
  std::string name;  ///< of its folder, made of the swept keys: "loss=clip,lr=0.001,seed=1"
  Experiment experiment;
  std::vector<std::string> stage_keys;  ///< stage_key of each stage
};

/// The runs of an experiment file with a section [sweep].
struct Plan {
  std::string name;  ///< the experiment's
  std::string text;  ///< the file as TOML, with the precision that "auto" is; gives the same plan
  int64_t token_cache_mb = 0;
  std::vector<PlannedRun> runs;
};

PlannedRun make_run(std::string name, Experiment experiment);

/// Whether a file has a section [sweep].
bool is_sweep(const config::Table& file);

/// Replaces "auto" as `[experiment] precision` of a file by that of a sweep's file: its later runs have the precision
/// of the first.
void keep_precision(config::Table& file, const std::string& sweep);

/// Checks every combination as read_experiment does. Throws a ProblemList with each problem once, and the name of a run
/// that has it unless all runs have it.
Plan read_plan(const config::Table& file);

/// The keys of [sweep] for the reference.
config::FieldDescription describe_sweep();

}  // namespace astroclip::sweep
