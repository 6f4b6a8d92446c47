#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/dataset.h"
#include "api/encoder.h"
#include "backend/readback.h"
#include "data/loader.h"
#include "experiment/experiment.h"
#include "model/origins.h"
#include "tensor/matrix.h"

namespace astroclip::evaluate {

/// A modality as an encoder with this input shape takes it, without augmentation; equal shapes have equal names.
data::ViewPlan plain_view(const std::string& modality, const Shape& shape);

/// A matrix that is there or on its way from the device.
class ComingMatrix {
 public:
  explicit ComingMatrix(Matrix there) : there_(std::move(there)) {}
  /// Queues the copy of values [rows, columns].
  explicit ComingMatrix(const Tensor& values)
      : there_{values.size(0), values.size(1)}, numbers_(std::in_place, std::vector{values}) {}
  /// Waits for it.
  Matrix get() && {
    if (numbers_) there_.values = numbers_->floats();
    return std::move(there_);
  }

 private:
  Matrix there_;
  std::optional<Readback> numbers_;
};

/// What an encoder gives of a batch, on the device.
struct Embedded {
  Encoded features;
  Tensor vectors;  ///< [objects, width]
};

/// An encoder's embedding of plain views, without gradient and dropout: its head's, or else the backbone's class or
/// mean token.
class Embedder {
 public:
  /// `tower` is the encoder's name.
  Embedder(std::string tower, std::shared_ptr<Encoder> encoder, Device device, Precision precision, bool head);
  /// Views [objects, input shape] on the device to the backbone's features, in the form `form()`, and the embedding.
  Embedded embed(const Tensor& views) const;
  /// Views to [objects, width], which the device computes while the host goes on.
  ComingMatrix embed(const HostArray& views) const;
  /// The same from the features.
  ComingMatrix embed(const Encoded& encoded) const { return ComingMatrix(vectors_of(encoded)); }

  const Encoder& encoder() const { return *encoder_; }
  Device device() const { return device_; }
  const std::string& tower() const { return tower_; }
  /// The view that it embeds.
  const data::ViewPlan& view() const { return view_; }
  TokenForm form() const { return head_ ? TokenForm::alignment : TokenForm::pretraining; }

 private:
  Tensor vectors_of(const Encoded& encoded) const;

  std::string tower_;
  std::shared_ptr<Encoder> encoder_;
  Device device_;
  Precision precision_;
  bool head_;
  data::ViewPlan view_;
};

/// Of an encoder of the experiment, as its evaluation embeds: by the head, unless `[evaluation]` asks for the backbone
/// or no stage has trained the head, as `origins` say.
Embedder embedder_of(const std::string& tower, const Experiment& experiment, const Model& model,
                     const Origins& origins);

/// How an evaluation loads a split: in batches of `[evaluation] batch` objects.
data::LoaderOptions reading_options(const Experiment& experiment, Split split);

/// Calls `use(batch)` with views of `rows`, batch by batch in order, until it returns false. Views of one name are
/// made once. Only split, batch, threads, memory and kept of the options are used.
void for_each_batch(const Dataset& dataset, const std::vector<int64_t>& rows, const std::vector<data::ViewPlan>& views,
                    data::LoaderOptions options, const std::function<bool(const data::Batch& batch)>& use);

/// Embeds rows of a split, in order.
Matrix embed_rows(const Embedder& embedder, const Experiment& experiment, const Dataset& dataset, Split split,
                  const std::vector<int64_t>& rows);

/// Writes NaN into the rows of objects without the modality: row i has it if present[first + i].
void blank_missing(Matrix& matrix, const std::vector<bool>& present, size_t first);

}  // namespace astroclip::evaluate
