#include "embed/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/finite.h"
#include "data/fields.h"
#include "data/preprocessing.h"
#include "model/origins.h"
#include "model/presets.h"

namespace astroclip::embed {

LoadedModel::LoadedModel(std::string path, std::string architecture)
    : path_(std::move(path)),
      architecture_(std::move(architecture)),
      weights_(io::read_weights(path_, Device::host())) {
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
  const Origins origins = read_origins(weights_.metadata);
  const std::vector<NamedTensor> tensors = std::exchange(weights_, {}).tensors;
  for (const std::string& name : model_->names()) {
    const LoadedEncoder loaded = model_->load(name, tensors, path_);
    if (!architecture_.empty() && say) say(fmt::format("{}: {} from {}", path_, name, loaded.from.text()));
    if (head && !(loaded.has_head && has_meaning(origins, name))) {
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

}  // namespace astroclip::embed
