#include "train/stage_parameters.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace astroclip::train {

namespace {

/// "image_encoder.backbone.…" as experiment files call it: "image.backbone.…".
std::string written_name(const StageSpec& stage, const std::string& name) {
  for (const std::string& encoder : stage.encoders) {
    const std::string prefix = encoder_prefix(encoder);
    if (name.starts_with(prefix + ".")) return encoder + name.substr(prefix.size());
  }
  return name;
}

/// Patterns of the kinds people write: a part with all below it, a kind of tensor wherever it is.
std::vector<std::string> patterns_for(const std::string& name) {
  std::vector<std::string> patterns = {name};
  for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    patterns.push_back(fmt::format("{}.*", name.substr(0, dot)));
    patterns.push_back(fmt::format("*{}", name.substr(dot)));
  }
  return patterns;
}

/// The names that a pattern fits. Throws Error naming the key that has it when it fits none.
std::vector<size_t> matching(const StageSpec& stage, const std::string& key, const std::string& pattern,
                             const std::vector<std::string>& names) {
  std::vector<size_t> found;
  for (size_t i = 0; i < names.size(); ++i) {
    if (fnmatch(pattern.c_str(), names[i].c_str(), 0) == 0) found.push_back(i);
  }
  if (!found.empty()) return found;
  std::vector<std::string> candidates;
  for (const std::string& name : names) {
    for (std::string& candidate : patterns_for(name)) candidates.push_back(std::move(candidate));
  }
  const std::string near = suggestion(pattern, candidates);
  throw Error(fmt::format("[stages.{}.optimizer.{} \"{}\" names no parameter{}", stage.name, key, pattern,
                          near.empty() ? fmt::format("; they are called like '{}'", names.front()) : near));
}

/// i of "….blocks.i.…" or "….blocks.CHUNK.i.…".
std::optional<int64_t> block_of(const std::string& name) {
  static constexpr std::string_view blocks = ".blocks.";
  const size_t at = name.find(blocks);
  if (at == std::string::npos) return std::nullopt;
  std::optional<int64_t> block;
  const char* end = name.data() + name.size();
  for (const char* from = name.data() + at + blocks.size(); from < end;) {
    int64_t number = 0;
    const auto [after, failure] = std::from_chars(from, end, number);
    if (failure != std::errc() || after == end || *after != '.') break;
    block = number;
    from = after + 1;
  }
  return block;
}

/// Multiplies the learning rates of one encoder's parameters [begin, end) by `decay` for each block above them.
void decay_layers(const std::vector<NamedTensor>& parameters, size_t begin, size_t end, double decay,
                  std::vector<optim::Scales>& scales) {
  int64_t layers = 0;
  for (size_t i = begin; i < end; ++i) layers = std::max(layers, block_of(parameters[i].name).value_or(-1) + 1);
  bool above = layers == 0;
  for (size_t i = begin; i < end; ++i) {
    const auto block = block_of(parameters[i].name);
    above = above || block.has_value();
    const int64_t depth = block ? *block + 1 : (above ? layers + 1 : 0);
    scales[i].learning_rate *= std::pow(decay, static_cast<double>(layers + 1 - depth));
  }
}

}  // namespace

void freeze_parts(const StageSpec& stage, const Model& model) {
  for (const std::string& name : stage.encoders) model.encoder(name).set_trainable("", true);
  for (const std::string& part : stage.freeze) {
    const size_t dot = part.find('.');
    try {
      model.encoder(part.substr(0, dot)).set_trainable(dot == std::string::npos ? "" : part.substr(dot + 1), false);
    } catch (const Error& error) {
      throw Error(fmt::format("[stages.{}] freeze '{}': {}", stage.name, part, error.what()));
    }
  }
}

std::vector<NamedTensor> stage_parameters(const StageSpec& stage, const Model& model, const Loss& loss) {
  std::vector<NamedTensor> all = loss.parameters("loss");
  for (const std::string& name : stage.encoders) {
    nn::append_state(all, model.encoder(name).parameters(encoder_prefix(name)));
  }
  return all;
}

std::vector<std::string> unreached_parts(const StageSpec& stage, const std::vector<NamedTensor>& parameters,
                                         const std::set<std::string>& reached) {
  const auto parts_of = [&](const std::string& parameter) {
    std::vector<std::string> parts;
    const std::string name = written_name(stage, parameter) + ".";
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      parts.push_back(name.substr(0, dot));
    }
    return parts;
  };
  std::set<std::string> with_gradient;
  for (const std::string& name : reached) {
    for (std::string& part : parts_of(name)) with_gradient.insert(std::move(part));
  }
  std::vector<std::string> unreached;
  for (const NamedTensor& entry : parameters) {
    for (const std::string& part : parts_of(entry.name)) {
      if (with_gradient.contains(part)) continue;
      if (std::ranges::find(unreached, part) == unreached.end()) unreached.push_back(part);
      break;
    }
  }
  return unreached;
}

std::vector<NamedTensor> trained_moments(const StageSpec& stage, const Model& model) {
  std::vector<NamedTensor> moments;
  for (const std::string& encoder : stage.encoders) {
    const std::vector<NamedTensor> state = model.encoder(encoder).state(encoder_prefix(encoder));
    for (const NamedTensor& entry : state) {
      const size_t dot = entry.name.rfind('.');
      const std::string module = entry.name.substr(0, dot), own = entry.name.substr(dot + 1);
      if (own != "running_mean" && own != "running_var") continue;
      const auto weight = std::ranges::find(state, module + ".weight", &NamedTensor::name);
      if (weight != state.end() && weight->trainable) moments.push_back(entry);
    }
  }
  return moments;
}

std::vector<optim::Scales> optimizer_scales(const StageSpec& stage, const std::vector<NamedTensor>& parameters) {
  std::vector<optim::Scales> scales(parameters.size());
  for (const std::string& encoder : stage.encoders) {
    const auto own = [&](const NamedTensor& entry) { return entry.name.starts_with(encoder_prefix(encoder) + "."); };
    const auto begin = std::ranges::find_if(parameters, own);
    const auto end = std::find_if_not(begin, parameters.end(), own);
    decay_layers(parameters, static_cast<size_t>(begin - parameters.begin()),
                 static_cast<size_t>(end - parameters.begin()), stage.optimizer.layer_decay, scales);
  }
  std::vector<std::string> names;
  for (const NamedTensor& entry : parameters) names.push_back(written_name(stage, entry.name));
  for (const GroupSpec& group : stage.optimizer.groups) {
    for (const size_t i : matching(stage, "groups] 'match' =", group.match, names)) {
      scales[i].learning_rate *= group.lr_scale;
      scales[i].weight_decay *= group.decay_scale;
      scales[i].frozen_steps = std::max(scales[i].frozen_steps, group.frozen_steps);
    }
  }
  for (size_t part = 0; part < stage.optimizer.clip_apart.size(); ++part) {
    for (const size_t i : matching(stage, "clip_apart]", stage.optimizer.clip_apart[part], names))
      scales[i].part = part + 1;
  }
  return scales;
}

}  // namespace astroclip::train
