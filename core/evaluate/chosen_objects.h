#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "evaluate/overlap.h"
#include "experiment/experiment.h"
#include "model/model.h"

namespace astroclip::evaluate {

/// Objects of a split.
struct ChosenRows {
  std::vector<int64_t> rows;                         ///< of the dataset
  std::map<std::string, std::vector<bool>> present;  ///< by modality, along rows: which have it
};

/// The objects that are measured.
struct ChosenObjects {
  ChosenRows train, test;

  /// Those that every encoder of the experiment can embed, or all of them; of test objects that are training objects,
  /// too, those that `[evaluation]` keeps.
  ChosenObjects(const Experiment& experiment, const Model& model, const Dataset& dataset, const InBoth& in_both);

  const ChosenRows& of(Split split) const { return split == Split::train ? train : test; }
};

}  // namespace astroclip::evaluate
