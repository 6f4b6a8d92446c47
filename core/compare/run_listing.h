#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compare/measured_run.h"

namespace astroclip::compare {

/// `interrupted`: not finished, not in use by a process, and without an error in its log.
enum class RunState { finished, running, failed, interrupted };

/// "finished", "running", "failed", "interrupted"
const char* name_of(RunState state);

struct ListedRun {
  std::string path;
  RunState state = RunState::interrupted;
  std::filesystem::file_time_type changed;  ///< time of the last change
  std::string stage;                        ///< of its last step; "" before the first
  int64_t step = 0;     ///< finished steps of that stage; of an interrupted run, those in its last checkpoint
  int64_t steps = 0;    ///< all steps of that stage; 0: unknown
  std::string problem;  ///< the error that ended the run, or of reading its folder
  std::vector<evaluate::Measure> results;  ///< the first metric of each row of its report
};

/// A run, or a sweep with its runs.
struct Listed {
  std::string path;
  bool is_sweep = false;
  size_t planned = 0;  ///< runs of a sweep; 0 when its file cannot be read
  std::vector<ListedRun> runs;

  size_t count(RunState state) const;
  std::filesystem::file_time_type changed() const;
};

/// The runs and sweeps in a folder, the last changed first; or the run or sweep that the folder itself is. A damaged
/// run is listed with its problem. Throws Error when the folder does not exist.
std::vector<Listed> list_runs(const std::string& folder);

/// A table; `sweeps` includes the runs of sweeps.
std::string to_text(const std::vector<Listed>& all, bool sweeps);
/// All details as JSON: an array.
std::string to_json(const std::vector<Listed>& all);

}  // namespace astroclip::compare
