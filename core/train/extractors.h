#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/task.h"
#include "search/pca.h"
#include "train/experiment.h"
#include "train/model.h"

namespace astroclip::train {

/// One way to turn a batch of a modality's plain views into vectors.
struct Extractor {
  std::string name;
  std::string modality;
  bool cross_modal = false;
  bool baseline = false;
  std::function<Matrix(const HostArray& views)> extract;
};

/// An encoder's embedding, without gradient and dropout: its head's for "head", the backbone's for "pool".
Extractor encoder_extractor(const std::string& name, std::shared_ptr<Encoder> encoder, const Experiment& experiment,
                            bool baseline);

/// The projection on principal components of the raw views.
Extractor pca_extractor(const std::string& modality, search::Pca pca);

/// Calls `use(views)` with the plain views of `rows`, batch by batch in order, until it says false; views by modality.
/// Batches are of the experiment's `[evaluation] batch` objects.
void for_each_batch(const Dataset& dataset, Split split, const std::vector<int64_t>& rows,
                    const std::vector<std::string>& modalities, const Model& model, const Experiment& experiment,
                    const std::function<bool(const HostBatch& views)>& use);

/// NaN in the rows of objects without the modality: row i is there when present[first + i] is.
void blank_missing(Matrix& matrix, const std::vector<bool>& present, size_t first);

/// Appends rows below a matrix; the first rows set the width.
void append_rows(Matrix& matrix, const Matrix& rows);

}  // namespace astroclip::train
