#include "evaluate/extractors.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "autograd/tape.h"
#include "data/loader.h"
#include "ops/ops.h"

namespace astroclip::evaluate {

namespace {

Matrix to_matrix(const Tensor& values) { return {values.size(0), values.size(1), values.to_floats()}; }

}  // namespace

data::ViewPlan plain_view(const std::string& modality, const Shape& shape) {
  return {{.name = modality + " " + shape.str(), .modality = modality}, shape};
}

Extractor encoder_extractor(const std::string& name, const std::string& tower, std::shared_ptr<Encoder> encoder,
                            Device device, Precision precision, bool head, bool baseline) {
  encoder->set_training(false);
  const std::string modality = encoder->modality();
  const data::ViewPlan view = plain_view(modality, encoder->input_shape());
  const TokenForm form = head ? TokenForm::alignment : TokenForm::pretraining;
  const auto embed = [=](const Encoded& encoded) {
    const autograd::NoGrad guard;
    const ops::PrecisionScope scope(precision);
    return to_matrix(head ? encoder->embed(encoded) : encoder->pool(encoded));
  };
  const auto extract = [=](const HostArray& views) {
    const autograd::NoGrad guard;
    const ops::PrecisionScope scope(precision);
    const Tensor raw =
        Tensor::from_host(views.values<float>(), views.shape, backend_of(device).compute_dtype(), device);
    return embed(encoder->encode(encoder->tokenize(raw), {}, form));
  };
  return {name, tower, modality, view, head, baseline, extract, encoder, embed};
}

Extractor pca_extractor(const std::string& tower, const data::ViewPlan& view, search::Pca pca) {
  const auto shared = std::make_shared<search::Pca>(std::move(pca));
  const std::string name = "pca-" + std::to_string(shared->components());
  return {name,
          tower,
          view.request.modality,
          view,
          false,
          true,
          [shared](const HostArray& views) {
            const int64_t rows = views.shape[0];
            return Matrix{rows, shared->components(), shared->transform(views.values<float>(), rows)};
          },
          nullptr,
          nullptr,
          true};
}

data::LoaderOptions reading_options(const Experiment& experiment, Split split) {
  return {.split = split, .batch = experiment.evaluation.batch, .threads = static_cast<int>(experiment.loader_threads)};
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

void blank_missing(Matrix& matrix, const std::vector<bool>& present, size_t first) {
  for (int64_t row = 0; row < matrix.rows; ++row) {
    if (present[first + static_cast<size_t>(row)]) continue;
    std::fill_n(matrix.values.begin() + row * matrix.columns, matrix.columns, std::numeric_limits<float>::quiet_NaN());
  }
}

void append_rows(Matrix& matrix, const Matrix& rows) {
  matrix.rows += rows.rows;
  matrix.columns = rows.columns;
  matrix.values.insert(matrix.values.end(), rows.values.begin(), rows.values.end());
}

}  // namespace astroclip::evaluate
