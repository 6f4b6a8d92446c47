#pragma once

#include "api/dataset.h"
#include "data/holdout.h"
#include "train/stage_setup.h"

namespace astroclip::train {

/// Training objects with every modality that a stage's loss looks at, and those set apart. Throws Error when there are
/// fewer than a batch, or none set apart where the stage needs some.
data::RowSplit stage_rows(const StageSetup& setup, const Dataset& dataset);

}  // namespace astroclip::train
