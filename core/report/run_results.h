#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/task.h"
#include "config/value.h"
#include "record/metrics.h"
#include "record/run_folder.h"

namespace astroclip::report {

/// What a run leaves, as far as its report shows it.
struct RunResults {
  record::RunFolder folder;
  std::string name;  ///< the folder's; with that of the folder above where several runs share it
  std::vector<Report> reports;
  std::string experiment = {};                ///< resolved.toml
  std::string provenance = {};                ///< provenance.toml; "" of runs without one
  std::string model_hash = {}, machine = {};  ///< as the model file says; "" where it is not there
  int64_t seed = 0;
  int64_t objects = 0;                            ///< of the dataset; 0: not known
  bool has_published_votes = false;               ///< labels of the dataset are volunteers' of Galaxy Zoo DECaLS
  std::vector<record::MetricsLine> metrics = {};  ///< of each step and validation, in order
  std::map<std::string, int64_t> batches = {};    ///< objects of a step, by stage

  /// The names of its stages, in order.
  std::vector<std::string> stages() const;
};

/// Of finished runs. Throws Error naming the file when a folder is not that of a finished run, or is damaged.
std::vector<RunResults> read_results(const std::vector<std::string>& folders);

}  // namespace astroclip::report
