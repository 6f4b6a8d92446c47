#include "model/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "io/weights/weights_file.h"
#include "nn/published_weights.h"

namespace astroclip {

namespace {

std::shared_ptr<Encoder> make_without_storage(const EncoderSpec& spec) { return spec.plugin.make(); }

}  // namespace

std::string encoder_prefix(const std::string& encoder) { return encoder + "_encoder"; }

std::string modality_of(const EncoderSpec& spec) { return make_without_storage(spec)->modality(); }

std::shared_ptr<Encoder> make_encoder(const EncoderSpec& spec, Device device, std::optional<uint64_t> seed) {
  auto encoder = make_without_storage(spec);
  if (seed) {
    encoder->materialize(device, *seed, encoder_prefix(spec.name));
  } else {
    encoder->materialize_empty(device);
  }
  return encoder;
}

Model::Model(const std::vector<EncoderSpec>& encoders, Device device, std::optional<uint64_t> seed)
    : loading_(seed ? nn::Loading::copied : nn::Loading::shared) {
  for (const EncoderSpec& spec : encoders) encoders_.emplace_back(spec.name, make_encoder(spec, device, seed));
}

Encoder& Model::encoder(const std::string& name) const { return *shared_encoder(name); }

std::shared_ptr<Encoder> Model::shared_encoder(const std::string& name) const {
  for (const auto& [own, encoder] : encoders_) {
    if (own == name) return encoder;
  }
  throw Error(fmt::format("there is no encoder '{}' ({})", name, fmt::join(names(), ", ")));
}

std::vector<std::string> Model::names() const {
  std::vector<std::string> all;
  for (const auto& [name, encoder] : encoders_) all.push_back(name);
  return all;
}

std::vector<NamedTensor> Model::state() const {
  std::vector<NamedTensor> all;
  for (const auto& [name, encoder] : encoders_) {
    nn::append_state(all, encoder->state(encoder_prefix(name)));
  }
  return all;
}

bool Model::load(const std::string& name, const std::string& path) const {
  return load(name, io::read_weights(path, Device::host()).tensors, path);
}

bool Model::load(const std::string& name, std::vector<NamedTensor> source, const std::string& path) const {
  Encoder& target = encoder(name);
  // What stands under the name of a tower is that tower's alone: another of the same architecture may be beside it.
  const std::string prefix = encoder_prefix(name) + ".", backbone = prefix + "backbone.";
  const auto is_own = [&](const NamedTensor& entry) { return entry.name.starts_with(prefix); };
  if (std::ranges::any_of(source, is_own)) std::erase_if(source, std::not_fn(is_own));
  const std::string place = fmt::format("{}: encoder '{}'", path, name);
  // Where the file tells backbone and head apart, what stands beside the backbone is the head's, and must all be known.
  const auto is_backbones = [&](const NamedTensor& entry) { return entry.name.starts_with(backbone); };
  const auto of_backbone = std::ranges::count_if(source, is_backbones);
  const bool has_head = of_backbone > 0 ? of_backbone < std::ssize(source)
                                        : nn::count_published(target, source, place) >
                                              nn::count_published(target, source, place, "backbone");
  nn::load_published(target, source, place, has_head ? "" : "backbone", loading_);
  return has_head;
}

}  // namespace astroclip
