#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/task.h"
#include "evaluate/chosen_objects.h"
#include "experiment/experiment.h"

namespace astroclip::evaluate {

/// Whether `[evaluation] floors` names it.
bool wants_floor(const Experiment& experiment, const std::string& name);

/// Every label that tasks must have, floors must have, or tasks read where the dataset has it, once.
std::vector<std::string> readable_labels(const Experiment& experiment, const Dataset& dataset);

/// The floors of labels that are wanted, for every encoder of their modalities, of objects with all their labels.
/// `labels` are along the rows that are chosen. The default floors are measured where the dataset has their labels:
/// nobody asked for those.
std::vector<Representation> label_floors(const Experiment& experiment, const Dataset& dataset,
                                         const ChosenObjects& chosen, const TaskInput& labels);

/// Throws Error unless the dataset has every label that tasks and floors read, and an encoder has each floor's
/// modality.
void check_labels(const Experiment& experiment, const Dataset& dataset);

}  // namespace astroclip::evaluate
