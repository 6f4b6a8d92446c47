#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compare/measured_run.h"

namespace astroclip::compare {

/// How a run stands. One that no process is at, that neither finished nor told of an error, was interrupted.
enum class RunState { finished, running, failed, interrupted };

/// "finished", "running", "failed", "interrupted"
const char* name_of(RunState state);

struct ListedRun {
  std::string path;
  RunState state = RunState::interrupted;
  std::filesystem::file_time_type changed;  ///< when it last wrote
  std::string stage;                        ///< of its last step; "" before the first
  int64_t step = 0;                         ///< finished steps of that stage; where a run goes on when nobody is at it
  int64_t steps = 0;                        ///< of that stage in all; 0 when that cannot be told
  std::string problem;                      ///< the error that ended it, or what is damaged
  std::vector<Measured> results;            ///< the first measure of each line of its report
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

/// The runs and sweeps in a folder, those that wrote last first; or the one that the folder itself is. What is damaged
/// in one does not keep the others from being listed. Throws Error when there is no such folder.
std::vector<Listed> list_runs(const std::string& folder);

/// For people; `sweeps` shows the runs of sweeps, too.
std::string to_text(const std::vector<Listed>& all, bool sweeps);
/// For programs: an array of all that is known.
std::string to_json(const std::vector<Listed>& all);

}  // namespace astroclip::compare
