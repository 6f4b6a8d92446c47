#include "train/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "io/safetensors.h"
#include "plugin/host.h"

namespace astroclip::train {

namespace {

std::string first_few(const std::vector<std::string>& names) {
  constexpr size_t shown = 8;
  const std::vector<std::string> few(names.begin(), names.begin() + std::min(shown, names.size()));
  const std::string more = names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "";
  return fmt::format("{}{}", fmt::join(few, ", "), more);
}

}  // namespace

std::string encoder_prefix(const std::string& encoder) { return encoder + "_encoder"; }

std::shared_ptr<Encoder> make_encoder(const Experiment& experiment, const std::string& name) {
  const EncoderSpec& spec = experiment.encoder(name);
  auto encoder = plugin::Host::instance().make_encoder(spec.plugin.plugin, spec.plugin.parameters);
  if (encoder->modality() != name) {
    throw Error(fmt::format("[encoders.{}] plugin '{}' encodes the modality '{}'", name, spec.plugin.plugin,
                            encoder->modality()));
  }
  encoder->materialize(experiment.run_device(), static_cast<uint64_t>(experiment.seed), encoder_prefix(name));
  return encoder;
}

Model::Model(const Experiment& experiment) {
  for (const EncoderSpec& spec : experiment.encoders) {
    encoders_.emplace_back(spec.name, make_encoder(experiment, spec.name));
  }
}

Encoder& Model::encoder(const std::string& name) const {
  for (const auto& [own, encoder] : encoders_) {
    if (own == name) return *encoder;
  }
  throw Error(fmt::format("there is no encoder '{}' ({})", name, fmt::join(names(), ", ")));
}

std::vector<std::string> Model::names() const {
  std::vector<std::string> all;
  for (const auto& [name, encoder] : encoders_) all.push_back(name);
  return all;
}

std::vector<nn::NamedTensor> Model::state() const {
  std::vector<nn::NamedTensor> all;
  for (const auto& [name, encoder] : encoders_) {
    for (nn::NamedTensor& entry : encoder->state(encoder_prefix(name))) all.push_back(std::move(entry));
  }
  return all;
}

void Model::load(const std::string& name, const std::string& path) {
  Encoder& target = encoder(name);
  const auto file = io::SafetensorsFile::open(path);
  const std::string prefix = encoder_prefix(name) + ".";
  const bool prefixed = std::ranges::any_of(file.entries(), [&](const auto& e) { return e.name.starts_with(prefix); });
  const Tensor sample = target.state().front().tensor;
  std::vector<nn::NamedTensor> source;
  for (const auto& entry : file.entries()) {
    if (prefixed && !entry.name.starts_with(prefix)) continue;
    source.push_back({prefixed ? entry.name.substr(prefix.size()) : entry.name,
                      file.read(entry.name, sample.dtype(), sample.device())});
  }
  const nn::LoadReport report = nn::load_state(target, source);
  if (report.complete() && report.unexpected.empty()) return;
  std::string message = fmt::format("{}: does not fit encoder '{}'", path, name);
  if (!report.missing.empty()) message += fmt::format("\n  missing: {}", first_few(report.missing));
  if (!report.misshapen.empty()) message += fmt::format("\n  misshapen: {}", first_few(report.misshapen));
  if (!report.unexpected.empty()) message += fmt::format("\n  unexpected: {}", first_few(report.unexpected));
  throw Error(message);
}

}  // namespace astroclip::train
