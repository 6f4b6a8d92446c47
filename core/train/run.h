#pragma once

#include <string>

#include "train/experiment.h"
#include "train/run_folder.h"

namespace astroclip::train {

enum class Outcome { finished, interrupted };

/// Runs an experiment in a fresh folder, or goes on from the folder's furthest checkpoint. Resuming gives bit for bit
/// what an uninterrupted run would have given; Throws Error when the machine makes that impossible (other number of
/// compute threads, other instruction set).
Outcome run(const Experiment& experiment, const RunFolder& folder);

}  // namespace astroclip::train
