#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/task.h"
#include "data/loader.h"
#include "experiment/experiment.h"
#include "model/model.h"
#include "search/pca.h"

namespace astroclip::evaluate {

/// One way to turn a batch of a modality's plain views into vectors.
struct Extractor {
  std::string name;
  std::string tower;  ///< the encoder's name
  std::string modality;
  data::ViewPlan view;  ///< what `extract` takes a batch of
  bool cross_modal = false;
  bool baseline = false;
  std::function<Matrix(const HostArray& views)> extract;
  std::shared_ptr<Encoder> encoder = {};             ///< none for what is no encoder's
  std::function<Matrix(const Encoded&)> embed = {};  ///< the rest of `extract`, behind the encoder's backbone
  bool has_units = false;                            ///< as Representation::has_units
};

/// A modality as an encoder with this input shape takes it, without augmentation; equal shapes have equal names.
data::ViewPlan plain_view(const std::string& modality, const Shape& shape);

/// An encoder's embedding, without gradient and dropout: its head's, or else the backbone's class or mean token.
Extractor encoder_extractor(const std::string& name, const std::string& tower, std::shared_ptr<Encoder> encoder,
                            Device device, Precision precision, bool head, bool baseline);

/// The projection on principal components of the raw views that a tower takes.
Extractor pca_extractor(const std::string& tower, const data::ViewPlan& view, search::Pca pca);

/// How an evaluation loads a split: in batches of `[evaluation] batch` objects.
data::LoaderOptions reading_options(const Experiment& experiment, Split split);

/// Calls `use(batch)` with views of `rows`, batch by batch in order, until it says false; views by name, one of each.
/// Of the options split, batch and threads count.
void for_each_batch(const Dataset& dataset, const std::vector<int64_t>& rows, const std::vector<data::ViewPlan>& views,
                    data::LoaderOptions options, const std::function<bool(const data::Batch& batch)>& use);

/// NaN in the rows of objects without the modality: row i is there when present[first + i] is.
void blank_missing(Matrix& matrix, const std::vector<bool>& present, size_t first);

/// Appends rows below a matrix; the first rows set the width.
void append_rows(Matrix& matrix, const Matrix& rows);

}  // namespace astroclip::evaluate
