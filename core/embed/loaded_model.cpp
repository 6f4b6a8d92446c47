#include "embed/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "api/token_values.h"
#include "autograd/tape.h"
#include "base/error.h"
#include "base/finite.h"
#include "data/fields.h"
#include "data/preprocessing.h"
#include "model/presets.h"

namespace astroclip::embed {

namespace {

// A third of the tokens is hidden at a time, in spans of so many, much as masked_spectrum hides them in training.
constexpr int64_t passes = 3, longest_span = 50, least_spans = 9;

}  // namespace

LoadedModel::LoadedModel(std::string path, std::string architecture)
    : path_(std::move(path)),
      architecture_(std::move(architecture)),
      weights_(io::read_weights(path_, Device::host())),
      origins_(read_origins(weights_.metadata)) {
  const std::string hash = io::model_hash(weights_.state_dict());
  if (!architecture_.empty()) {
    description_ = {load_architecture(architecture_path(architecture_)), data::published_preprocessing(), hash};
    return;
  }
  description_ = read_model_description(weights_.metadata, path_);
  if (description_.hash == hash) return;
  throw Error(
      fmt::format("{}: damaged: the hash of its tensors is {}, its metadata says {}", path_, hash, description_.hash));
}

void LoadedModel::load(const std::vector<EncoderSpec>& encoders, Device device, Precision precision, bool head,
                       const std::function<void(const std::string& sentence)>& say) {
  model_ = std::make_unique<Model>(encoders, device, std::nullopt);
  const std::vector<NamedTensor> tensors = std::exchange(weights_, {}).tensors;
  for (const std::string& name : model_->names()) {
    const LoadedEncoder loaded = model_->load(name, tensors, path_);
    if (!architecture_.empty() && say) say(fmt::format("{}: {} from {}", path_, name, loaded.from.text()));
    if (head && !(loaded.has_head && has_meaning(origins_, name))) {
      throw Error(fmt::format("{}: encoder '{}' has {}; --embedding pool gives the embedding before alignment", path_,
                              name, loaded.has_head ? "a head that no stage has trained" : "no alignment head"));
    }
    embedders_.emplace_back(name, model_->shared_encoder(name), device, precision, head);
  }
}

std::map<std::string, std::vector<float>> LoadedModel::embed(const Input& input, int64_t row) const {
  const std::vector<int64_t> rows = {row};
  std::vector<data::ViewPlan> there;
  for (const evaluate::Embedder& embedder : embedders_) {
    const std::string& modality = embedder.view().request.modality;
    if (input.has(modality) && data::observed(*input.objects, input.split, rows, modality)[0])
      there.push_back(embedder.view());
  }
  std::map<std::string, std::vector<float>> vectors;
  if (there.empty()) return vectors;
  evaluate::for_each_batch(*input.views, rows, there, {.split = input.split, .batch = 1},
                           [&](const data::Batch& batch) {
                             for (const evaluate::Embedder& embedder : embedders_) {
                               const auto view = batch.views.find(embedder.view().request.name);
                               if (view != batch.views.end() && all_finite(view->second.values<float>()))
                                 vectors[embedder.tower()] = embedder.embed(view->second).get().values;
                             }
                             return true;
                           });
  return vectors;
}

const evaluate::Embedder* LoadedModel::rebuilder(const std::string& modality) const {
  for (const evaluate::Embedder& embedder : embedders_) {
    const auto known = origins_.find(embedder.tower());
    if (known != origins_.end() && known->second.backbone == Origin::initial) continue;
    const Encoder& encoder = embedder.encoder();
    if (encoder.modality() == modality && encoder.input_shape().rank() == 1 &&
        dynamic_cast<const Reconstruction*>(&encoder) != nullptr && dynamic_cast<const TokenGrid*>(&encoder) != nullptr)
      return &embedder;
  }
  return nullptr;
}

std::optional<HostArray> LoadedModel::view_of(const evaluate::Embedder& embedder, const Input& input,
                                              int64_t row) const {
  const data::ViewPlan& view = embedder.view();
  const std::string& modality = view.request.modality;
  const std::vector<int64_t> rows = {row};
  std::optional<HostArray> found;
  if (!input.has(modality) || !data::observed(*input.objects, input.split, rows, modality)[0]) return found;
  evaluate::for_each_batch(*input.views, rows, {view}, {.split = input.split, .batch = 1},
                           [&](const data::Batch& batch) {
                             const HostArray& made = batch.views.at(view.request.name);
                             if (all_finite(made.values<float>())) found = made;
                             return true;
                           });
  return found;
}

std::vector<float> LoadedModel::reconstruct(const std::string& modality, const Input& input, int64_t row) const {
  const evaluate::Embedder* embedder = rebuilder(modality);
  const auto view = embedder == nullptr ? std::nullopt : view_of(*embedder, input, row);
  if (!view) return {};
  const autograd::NoGrad guard;
  const Encoder& encoder = embedder->encoder();
  const Device device = Device::host();
  const std::span<const float> one = view->values<float>();
  std::vector<float> copies;
  for (int64_t pass = 0; pass < passes; ++pass) copies.insert(copies.end(), one.begin(), one.end());
  const Tensor raw = Tensor::from_host(copies, {passes, std::ssize(one)}, DType::f32, device);
  const Tensor tokens = encoder.tokenize(raw);
  const int64_t count = tokens.size(1), width = tokens.size(2);
  const std::vector<int64_t> entries = values_of_entries(ability<TokenGrid>(encoder), raw);
  const int64_t span = std::clamp<int64_t>(count / least_spans, 1, longest_span);
  std::vector<float> hidden(static_cast<size_t>(passes * count), 0.0F);
  for (int64_t token = 0; token < count; ++token) {
    const auto first = entries.begin() + token * width;
    if (std::all_of(first, first + width, [](int64_t value) { return value < 0; })) continue;
    hidden[static_cast<size_t>(token / span % passes * count + token)] = 1.0F;
  }
  const Tensor mask = Tensor::from_host(hidden, {passes, count}, DType::f32, device);
  const Tensor predicted =
      ability<Reconstruction>(encoder).reconstruct(encoder.encode(tokens, mask, TokenForm::pretraining));
  std::vector<double> sums(one.size(), 0.0), counts = sums;
  for (int64_t pass = 0; pass < passes; ++pass) {
    const auto own = [&](const Tensor& all) { return all.view_rows(pass, pass + 1).to_doubles(); };
    const std::vector<double> values =
        values_predicted({one.begin(), one.end()}, own(tokens), own(predicted), own(mask), entries);
    for (size_t value = 0; value < values.size(); ++value) {
      if (std::isnan(values[value])) continue;
      sums[value] += values[value];
      counts[value] += 1.0;
    }
  }
  std::vector<float> rebuilt;
  for (size_t value = 0; value < sums.size(); ++value)
    rebuilt.push_back(counts[value] > 0.0 ? static_cast<float>(sums[value] / counts[value])
                                          : std::numeric_limits<float>::quiet_NaN());
  return rebuilt;
}

}  // namespace astroclip::embed
