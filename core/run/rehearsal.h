#pragma once

#include "api/dataset.h"
#include "data/holdout.h"
#include "experiment/experiment.h"
#include "model/model.h"
#include "train/stage_engine.h"

namespace astroclip::run {

/// What the built encoders can tell of the stages from `first` on, before one of them trains: the files they start
/// from, parts to freeze, groups of parameters, what losses ask of encoders. The encoders need no weights.
void check_stages(const Experiment& experiment, Model& model, size_t first);

/// What the data can tell of them: one small batch goes through each stage's loss, in evaluation mode, so that views,
/// labels, sizes and the names of validation metrics are known to fit. Leaves the weights as they are.
void rehearse_stages(const Experiment& experiment, Model& model, const Dataset& dataset, size_t first);

}  // namespace astroclip::run
