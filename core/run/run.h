#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiment/experiment.h"
#include "record/run_folder.h"

namespace astroclip::run {

enum class Outcome { finished, interrupted };

/// What a run may take from others instead of computing it. Its results are the same, bit for bit.
struct CachedResults {
  /// For each stage a model file of another run's end of it, to be taken as it stands; "" to train. Runs whose
  /// stage_key is equal may give it.
  std::vector<std::string> stages;
  /// Where the tokens of frozen backbones are kept, and how much room they may take; "" or 0: nowhere.
  std::string tokens = {};
  int64_t token_bytes = 0;
};

/// Runs an experiment in a fresh folder, or goes on from the folder's furthest checkpoint. Resuming gives bit for bit
/// what an uninterrupted run would have given; Throws Error when the machine makes that impossible (other number of
/// compute threads, other instruction set).
Outcome run(const Experiment& experiment, const record::RunFolder& folder, const CachedResults& cached = {});

}  // namespace astroclip::run
