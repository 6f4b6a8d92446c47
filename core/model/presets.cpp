#include "model/presets.h"

#include <algorithm>
#include <boost/dll/runtime_symbol_info.hpp>
#include <filesystem>

#include "base/error.h"
#include "model/model.h"
#include "model/model_file.h"
#include "nn/published_weights.h"

namespace astroclip {

namespace {

namespace fs = std::filesystem;

/// Told from names alone, before anything has storage: a giant needs gigabytes.
bool has_names(const std::vector<EncoderSpec>& encoders, const std::vector<NamedTensor>& tensors) {
  return std::ranges::all_of(encoders, [&](const EncoderSpec& spec) {
    const auto encoder = spec.plugin.make();
    const auto state = encoder->state();
    const auto wanted =
        std::ranges::count_if(state, [](const auto& entry) { return entry.name.starts_with("backbone."); });
    return nn::count_published(*encoder, tensors, "", "backbone") == wanted;
  });
}

bool fits(const std::vector<EncoderSpec>& encoders, const std::vector<NamedTensor>& tensors) {
  try {
    if (!has_names(encoders, tensors)) return false;
    const Model model(encoders, {}, std::nullopt);
    return std::ranges::all_of(model.names(), [&](const std::string& name) {
      return !nn::fitting_prefixes(model.encoder(name), tensors_for(name, tensors), "", "backbone").empty();
    });
  } catch (const Error&) {
    return false;
  }
}

int64_t parameters_of(const std::vector<EncoderSpec>& encoders) {
  int64_t count = 0;
  for (const EncoderSpec& spec : encoders) {
    count += spec.plugin.make()->parameter_count();
  }
  return count;
}

}  // namespace

std::vector<Preset> presets() {
  const fs::path program(boost::dll::program_location().string());
  const fs::path folder = program.parent_path().parent_path() / "share/astroclip/experiments/models";
  std::vector<Preset> all;
  std::error_code absent;
  for (const auto& file : fs::directory_iterator(folder, absent)) {
    if (file.path().extension() == ".toml") all.push_back({file.path().stem().string(), file.path().string()});
  }
  std::ranges::sort(all, {}, &Preset::name);
  return all;
}

std::string architecture_path(const std::string& name_or_path) {
  const auto all = presets();
  const auto found = std::ranges::find(all, name_or_path, &Preset::name);
  return found == all.end() ? name_or_path : found->path;
}

std::optional<Preset> recognise(const std::vector<NamedTensor>& tensors, const std::vector<Preset>& among) {
  std::optional<Preset> best;
  int64_t most = 0;
  for (const Preset& preset : among) {
    const std::vector<EncoderSpec> encoders = load_architecture(preset.path);
    const int64_t parameters = parameters_of(encoders);
    if (parameters <= most || !fits(encoders, tensors)) continue;
    best = preset;
    most = parameters;
  }
  return best;
}

}  // namespace astroclip
