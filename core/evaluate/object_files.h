#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/task.h"

namespace astroclip::evaluate {

/// An HDF5 file of the model's embeddings: groups train and test with MODALITY_embeddings [objects, width] and
/// object_id [objects], and attributes. Rows of objects without the modality are NaN.
void write_embeddings(const std::string& path, const TaskInput& input,
                      const std::map<std::string, std::string>& attributes);

/// An HDF5 file of what tasks predict, by the task's name: groups TASK/LABEL/MODALITY/REPRESENTATION/METHOD with
/// object_id [test objects], truth and predicted [test objects], or of several outputs [test objects, outputs] beside
/// their names in outputs. A group that is there already gets a number: "METHOD 2".
void write_predictions(const std::string& path, const std::map<std::string, std::vector<Prediction>>& predictions,
                       const IdNames& names);

/// A file for each prediction of a representation that a model file gives: FOLDER/TASK LABEL MODALITY REPRESENTATION
/// METHOD.safetensors with what was fitted. One that is there already gets a number, as the group of predictions does.
void write_probes(const std::string& folder, const std::map<std::string, std::vector<Prediction>>& predictions);

}  // namespace astroclip::evaluate
