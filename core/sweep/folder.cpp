#include "sweep/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "config/toml.h"

namespace astroclip::sweep {

namespace fs = std::filesystem;

namespace {

/// The first line of `b` that differs from `a`'s.
std::string first_difference(const std::string& a, const std::string& b) {
  std::istringstream left(a), right(b);
  std::string line, other;
  while (std::getline(right, other)) {
    if (!std::getline(left, line)) line.clear();
    if (line != other) break;
  }
  return fmt::format("its '{}' is here '{}'", line, other);
}

/// What makes a run what it is.
std::string settings(const Experiment& experiment) { return config::to_toml(affecting_results(experiment.resolved())); }

bool has_equal_stage(const PlannedRun& run, size_t stage, const std::string& key) {
  return stage < run.stage_keys.size() && run.stage_keys[stage] == key;
}

}  // namespace

bool SweepFolder::holds_sweep(const std::string& path) { return fs::is_regular_file(SweepFolder(path).file()); }

State SweepFolder::state(const PlannedRun& run) const {
  const std::string own = path_ + "/" + run.name;
  if (!fs::is_regular_file(own + "/resolved.toml")) return State::fresh;
  const auto folder = record::RunFolder::open(own);
  // Read anew, so that keys which a later version adds have their defaults.
  const std::string there = settings(load_resolved(folder.resolved()));
  const std::string here = settings(run.experiment);
  if (there != here) {
    throw Error(fmt::format("{}: is the folder of a run of another experiment: {}; choose another --output", own,
                            first_difference(there, here)));
  }
  return fs::exists(folder.report_json()) ? State::finished : State::begun;
}

record::RunFolder SweepFolder::open(const PlannedRun& planned) const {
  if (state(planned) != State::fresh) return record::RunFolder::open(run(planned));
  return record::RunFolder::create(run(planned), planned.name, config::to_toml(planned.experiment.resolved()));
}

std::vector<std::string> SweepFolder::ended_stages(const Plan& plan, const PlannedRun& run) const {
  std::vector<std::string> files;
  for (size_t stage = 0; stage < run.stage_keys.size(); ++stage) {
    std::string found;
    for (const PlannedRun& other : plan.runs) {
      if (&other == &run || !has_equal_stage(other, stage, run.stage_keys[stage])) continue;
      const std::string file =
          fmt::format("{}/{}/stages/{}.safetensors", path_, other.name, other.experiment.stages[stage].name);
      if (fs::is_regular_file(file)) {
        found = file;
        break;
      }
    }
    files.push_back(found);
  }
  return files;
}

std::vector<const PlannedRun*> first_with_stages(const Plan& plan, const PlannedRun& run) {
  std::vector<const PlannedRun*> runs;
  for (size_t stage = 0; stage < run.stage_keys.size(); ++stage) {
    runs.push_back(&*std::ranges::find_if(
        plan.runs, [&](const auto& other) { return has_equal_stage(other, stage, run.stage_keys[stage]); }));
  }
  return runs;
}

}  // namespace astroclip::sweep
