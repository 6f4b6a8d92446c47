#include "evaluate/attention.h"

#include <fmt/format.h>

#include <cmath>

#include "api/attention_weights.h"
#include "autograd/tape.h"
#include "base/error.h"
#include "data/fields.h"
#include "evaluate/embedder.h"
#include "evaluate/pictures.h"
#include "ops/ops.h"

namespace astroclip::evaluate {

namespace {

/// Means over the values of each token of where they lie along the view's last axis, or along the one before it.
std::vector<float> places_along(int axis, const TokenGrid& grid, const Shape& shape, Device device) {
  // From 2: 1 stands where a token holds no value.
  constexpr int64_t first = 2;
  const int64_t below = axis == -1 ? 1 : shape[-1];
  HostArray numbers(DType::f32, HostArray::rows_of(shape, 1));
  int64_t i = 0;
  for (float& number : numbers.values<float>()) number = static_cast<float>(i++ / below % shape[axis] + first);
  const Tensor tokens = grid.token_grid(data::upload(numbers, device));
  const std::vector<double> values = tokens.to_doubles();
  std::vector<float> places;
  const auto width = static_cast<size_t>(tokens.size(2));
  for (size_t begin = 0; begin < values.size(); begin += width) {
    double sum = 0.0, count = 0.0;
    for (size_t at = begin; at < begin + width; ++at) {
      if (values[at] > 1.0) sum += values[at] - double{first}, count += 1.0;
    }
    places.push_back(count > 0.0 ? static_cast<float>(sum / count) : std::nanf(""));
  }
  return places;
}

std::vector<float> places_of(const TokenGrid& grid, const Shape& shape, Device device) {
  const std::vector<float> along = places_along(-1, grid, shape, device);
  if (shape.rank() != image_axes) return along;
  const std::vector<float> across = places_along(-2, grid, shape, device);
  std::vector<float> both;
  for (size_t token = 0; token < along.size(); ++token) both.insert(both.end(), {along[token], across[token]});
  return both;
}

}  // namespace

std::vector<Attention> attention_of(const Experiment& experiment, const Model& model, const Origins& origins,
                                    const Dataset& dataset, const std::vector<int64_t>& rows,
                                    const std::vector<int64_t>& objects) {
  const Device device = experiment.run_device();
  const autograd::NoGrad guard;
  const ops::PrecisionScope scope(experiment.run_precision());
  std::vector<Attention> all;
  for (const std::string& tower : model.names()) {
    const Embedder embedder = embedder_of(tower, experiment, model, origins);
    const Encoder& encoder = embedder.encoder();
    const auto* attending = dynamic_cast<const AttentionWeights*>(&encoder);
    const auto* grid = dynamic_cast<const TokenGrid*>(&encoder);
    if (attending == nullptr || grid == nullptr) continue;
    const Shape shape = encoder.input_shape();
    Attention one{tower, encoder.modality(), {}, 0, 0, {}, {}, shape[-1]};
    std::vector<int64_t> own;
    for (const int64_t object : objects) own.push_back(rows[static_cast<size_t>(object)]);
    const std::vector<bool> is_there = data::observed(dataset, Split::test, own, one.modality);
    own.clear();
    for (size_t i = 0; i < objects.size(); ++i) {
      if (!is_there[i]) continue;
      one.objects.push_back(objects[i]);
      own.push_back(rows[static_cast<size_t>(objects[i])]);
    }
    if (own.empty()) continue;
    const data::ViewPlan& view = embedder.view();
    for_each_batch(dataset, own, {view}, reading_options(experiment, Split::test), [&](const data::Batch& batch) {
      const Tensor raw = data::upload(batch.views.at(view.request.name), device);
      const Tensor weights = attending->attention(encoder.tokenize(raw), embedder.form());
      if (!weights.defined()) return false;
      one.heads = weights.size(1), one.tokens = weights.size(2);
      for (const double weight : weights.to_doubles()) one.weights.push_back(static_cast<float>(weight));
      return true;
    });
    if (one.weights.empty()) continue;
    one.places = places_of(*grid, shape, device);
    const int64_t axes = shape.rank() == image_axes ? 2 : 1;
    if (std::ssize(one.places) != one.tokens * axes) {
      throw Error(fmt::format("encoder '{}': gives attention weights of {} tokens, and has {}", tower, one.tokens,
                              std::ssize(one.places) / axes));
    }
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace astroclip::evaluate
