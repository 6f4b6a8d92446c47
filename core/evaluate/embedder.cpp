#include "evaluate/embedder.h"

#include <algorithm>
#include <limits>

#include "autograd/tape.h"
#include "backend/pinned.h"
#include "data/loader.h"
#include "evaluate/batch_embedder.h"
#include "ops/ops.h"

namespace astroclip::evaluate {

data::ViewPlan plain_view(const std::string& modality, const Shape& shape) {
  return {{.name = modality + " " + shape.str(), .modality = modality}, shape};
}

Embedder::Embedder(std::string tower, std::shared_ptr<Encoder> encoder, Device device, Precision precision, bool head)
    : tower_(std::move(tower)),
      encoder_(std::move(encoder)),
      device_(device),
      precision_(precision),
      head_(head),
      view_(plain_view(encoder_->modality(), encoder_->input_shape())) {
  encoder_->set_training(false);
}

Embedded Embedder::embed(const Tensor& views) const {
  const autograd::NoGrad guard;
  const ops::PrecisionScope scope(precision_);
  const Encoded features = encoder_->encode(encoder_->tokenize(views), {}, form());
  return {features, vectors_of(features)};
}

ComingMatrix Embedder::embed(const HostArray& views) const {
  return ComingMatrix(embed(data::upload(views, device_)).vectors);
}

Tensor Embedder::vectors_of(const Encoded& encoded) const {
  const autograd::NoGrad guard;
  const ops::PrecisionScope scope(precision_);
  return head_ ? encoder_->embed(encoded) : encoder_->pool(encoded);
}

Embedder embedder_of(const std::string& tower, const Experiment& experiment, const Model& model,
                     const Origins& origins) {
  const bool head = experiment.evaluation.embedding == Embedding::head && has_meaning(origins, tower);
  return {tower, model.shared_encoder(tower), experiment.run_device(), experiment.run_precision(), head};
}

data::LoaderOptions reading_options(const Experiment& experiment, Split split) {
  return {.split = split,
          .batch = experiment.evaluation.batch,
          .threads = static_cast<int>(experiment.loader_threads),
          .memory = pinned_memory(experiment.run_device())};
}

void for_each_batch(const Dataset& dataset, const std::vector<int64_t>& rows, const std::vector<data::ViewPlan>& views,
                    data::LoaderOptions options, const std::function<bool(const data::Batch& batch)>& use) {
  std::vector<data::ViewPlan> plans;
  for (const data::ViewPlan& view : views) {
    const auto same = [&](const data::ViewPlan& other) { return other.request.name == view.request.name; };
    if (std::ranges::none_of(plans, same)) plans.push_back(view);
  }
  options.steps = (static_cast<int64_t>(rows.size()) + options.batch - 1) / options.batch;
  options.shuffle = false;
  data::Loader loader(dataset, rows, plans, {}, options);
  for (int64_t step = 0; step < options.steps; ++step) {
    if (!use(loader.next())) return;
  }
}

Matrix embed_rows(const Embedder& embedder, const Experiment& experiment, const Dataset& dataset, Split split,
                  const std::vector<int64_t>& rows) {
  Matrix matrix;
  BatchEmbedder batches(embedder);
  std::optional<ComingMatrix> before;
  for_each_batch(dataset, rows, {embedder.view()}, reading_options(experiment, split), [&](const data::Batch& batch) {
    ComingMatrix next(batches.embed(batch.views.at(embedder.view().request.name)).vectors);
    if (before) matrix.append(std::move(*before).get());
    before.emplace(std::move(next));
    return true;
  });
  if (before) matrix.append(std::move(*before).get());
  return matrix;
}

void blank_missing(Matrix& matrix, const std::vector<bool>& present, size_t first) {
  for (int64_t row = 0; row < matrix.rows; ++row) {
    if (present[first + static_cast<size_t>(row)]) continue;
    std::fill_n(matrix.values.begin() + row * matrix.columns, matrix.columns, std::numeric_limits<float>::quiet_NaN());
  }
}

}  // namespace astroclip::evaluate
