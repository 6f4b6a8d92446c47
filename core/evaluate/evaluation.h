#pragma once

#include "api/dataset.h"
#include "api/task.h"
#include "evaluate/overlap.h"
#include "evaluate/token_cache.h"
#include "experiment/experiment.h"
#include "experiment/provenance.h"
#include "model/model.h"
#include "model/origins.h"
#include "record/console.h"
#include "record/run_folder.h"

namespace astroclip::evaluate {

/// Embeds training and test objects with the model, with each floor and each baseline, writes the embeddings, runs the
/// tasks and prints and gives their reports, with the provenance as the last. An encoder whose head no stage has
/// trained gives its backbone's embedding, as `origins` say. `looks` are those for a collapse, for the report.
/// `in_both` is what in_both_splits gives of the dataset. What frozen backbones give is taken from `cache`, or kept
/// there, if there is one. Throws Error when too many representations are not finite, and when a task has nothing to
/// measure.
std::vector<Report> evaluate(const Experiment& experiment, const Model& model, const Origins& origins,
                             const Dataset& dataset, const InBoth& in_both, const Provenance& provenance,
                             const std::vector<std::string>& looks, const record::RunFolder& folder,
                             record::Console& console, TokenCache* cache);

/// Prints the tables of the floors alone, which need no training. Throws Error as evaluate does.
void show_floors(const Experiment& experiment, const Model& model, const Dataset& dataset, const InBoth& in_both,
                 const record::RunFolder& folder, record::Console& console);

/// Throws Error unless dataset, encoders and model files have what the evaluation reads: check_labels, check_joint,
/// check_tokens, check_models.
void check_evaluation(const Experiment& experiment, const Dataset& dataset);

}  // namespace astroclip::evaluate
