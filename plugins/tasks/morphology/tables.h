#pragma once

#include "data/galaxy_zoo.h"
#include "probe/predict.h"

namespace astroclip::morphology {

/// For every test object the answer that most training objects have.
Prediction majority_answer(const Representation& from, const TaskInput& input, const probe::Quantity& shares);

/// Adds a line for each true answer: the shares of its test objects that are taken for each answer.
void add_confusion(const data::Question& question, const Prediction& one, Report& report);

/// Adds a line for each representation and probe: the mean over the questions, whose name is before the probe's in the
/// lines of `report`.
void add_means(const Report& report, Report& mean);

}  // namespace astroclip::morphology
