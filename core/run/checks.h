#pragma once

#include <string>
#include <vector>

#include "api/dataset.h"
#include "experiment/experiment.h"
#include "model/model.h"

namespace astroclip::run {

/// Checks the stages from `first` on without data, before one of them trains: the files they start from, parts to
/// freeze, groups of parameters, what losses ask of encoders, names of tensors. The encoders need no weights.
void check_stages(const Experiment& experiment, const Model& model, size_t first);

/// Checks that each encoder's functions give the shapes and dtype that it declares, on a few blank objects.
void check_encoders(const Experiment& experiment, const Model& model);

/// What a small batch of a stage shows.
struct StageCheck {
  std::vector<std::string> reached;  ///< names of the parameters that the gradient reaches
  std::string memory;                ///< what training needs of a card, in words; "" on the host
};

/// Checks all stages with data: one small batch goes through each stage's loss and back, in evaluation mode, so that
/// views, labels, sizes and the names of terms and validation metrics are known to fit. Leaves the weights as they are.
/// Throws Error when a stage needs more memory than its device has, as far as a small batch can tell.
std::vector<StageCheck> check_batches(const Experiment& experiment, const Model& model, const Dataset& dataset);

}  // namespace astroclip::run
