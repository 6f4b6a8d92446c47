#include "model/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "io/weights/weights_file.h"

namespace astroclip {

namespace {

std::shared_ptr<Encoder> make_without_storage(const EncoderSpec& spec) { return spec.plugin.make(); }

}  // namespace

std::string encoder_prefix(const std::string& encoder) { return encoder + "_encoder"; }

namespace {

/// Whether a name has the components, which end in a dot, anywhere.
bool has_path(const std::string& name, const std::string& components) {
  return ("." + name).find("." + components) != std::string::npos;
}

}  // namespace

std::vector<NamedTensor> tensors_for(const std::string& encoder, std::vector<NamedTensor> tensors) {
  const auto is_own = [&](const NamedTensor& entry) { return has_path(entry.name, encoder_prefix(encoder) + "."); };
  if (std::ranges::any_of(tensors, is_own)) std::erase_if(tensors, std::not_fn(is_own));
  return tensors;
}

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

LoadedEncoder Model::load(const std::string& name, const std::string& path) const {
  return load(name, io::read_weights(path, Device::host()).tensors, path);
}

LoadedEncoder Model::load(const std::string& name, std::vector<NamedTensor> source, const std::string& path,
                          const std::optional<std::string>& prefix) const {
  Encoder& target = encoder(name);
  source = tensors_for(name, std::move(source));
  const std::string place = fmt::format("{}: encoder '{}'", path, name);
  // Where the file tells backbone and head apart, what stands beside the backbone is the head's, and must all be known.
  const auto is_backbones = [&](const NamedTensor& entry) {
    return has_path(entry.name, encoder_prefix(name) + ".backbone.");
  };
  const auto of_backbone = std::ranges::count_if(source, is_backbones);
  const bool has_head = of_backbone > 0 ? of_backbone < std::ssize(source)
                                        : nn::count_published(target, source, place) >
                                              nn::count_published(target, source, place, "backbone");
  return {has_head, nn::load_published(target, source, place, has_head ? "" : "backbone", loading_, prefix)};
}

}  // namespace astroclip
