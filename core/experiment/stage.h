#pragma once

#include "data/loader.h"
#include "experiment/experiment.h"

namespace astroclip {

/// One stage of an experiment, which must outlive it.
struct Stage {
  Stage(const Experiment& whole, size_t number) : experiment(whole), index(number), spec(whole.stages[number]) {}

  const Experiment& experiment;
  size_t index;
  const StageSpec& spec;

  uint64_t seed() const { return experiment.seed; }
  /// One batch after another, shuffled and augmented by streams of the stage's own; steps are left to set.
  data::LoaderOptions loader_options(int64_t batch) const {
    return {.batch = batch, .seed = seed(), .stream = index, .threads = static_cast<int>(experiment.loader_threads)};
  }
};

}  // namespace astroclip
