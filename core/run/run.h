#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiment/experiment.h"
#include "experiment/provenance.h"
#include "record/console.h"
#include "record/run_folder.h"

namespace astroclip::run {

enum class Outcome { finished, interrupted };

/// Results of other runs that a run uses instead of computing them. Its own results are the same, bit for bit.
struct CachedResults {
  /// For each stage, the model file with which a run of equal stage_key ended it; "" to train the stage.
  std::vector<std::string> stages;
  /// Folder of the token cache of frozen backbones and its largest size; "" and 0: no cache.
  std::string tokens = {};
  int64_t token_bytes = 0;
};

/// Runs an experiment in a new folder, or resumes from the latest checkpoint in the folder. A resumed run gives bit for
/// bit the results of an uninterrupted one. Throws Error when that cannot be: another number of compute threads,
/// another instruction set or card, another dataset behind the same path, other code, unless `rebuilt` accepts it.
Outcome run(const Experiment& experiment, const record::RunFolder& folder, const CachedResults& cached = {},
            Rebuilt rebuilt = Rebuilt::refuse);

/// Writes the page of a finished run that has none. What hinders it is a warning, because the results are there.
void complete_page(const record::RunFolder& folder, record::Console& console);

}  // namespace astroclip::run
