#pragma once

#include <functional>
#include <vector>

#include "train/step_context.h"

namespace astroclip::train {

/// How many batches of the stage's size, or of all rows where there are fewer, `rows` rows fill.
int64_t whole_batches(const Stage& stage, int64_t rows);

/// Calls `visit` for each of those batches of `rows`, in the run's precision. Objects that fill none are left out.
void for_each_batch(const StageSetup& setup, const FrozenViews& frozen, const Dataset& dataset,
                    const std::vector<int64_t>& rows, int64_t step, Mode mode,
                    const std::function<void(StepContext&, const data::Batch&)>& visit);

}  // namespace astroclip::train
