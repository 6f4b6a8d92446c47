#include "experiment/stage_key.h"

#include <algorithm>
#include <set>

#include "config/toml.h"

namespace astroclip {

std::vector<std::string> encoders_up_to(const Stage& stage) {
  std::set<std::string> touched;
  for (size_t i = 0; i <= stage.index; ++i) {
    const StageSpec& spec = stage.experiment.stages[i];
    touched.insert(spec.encoders.begin(), spec.encoders.end());
    for (const InitSpec& init : spec.init) touched.insert(init.encoder);
  }
  std::vector<std::string> ordered;
  for (const EncoderSpec& encoder : stage.experiment.encoders) {
    if (touched.contains(encoder.name)) ordered.push_back(encoder.name);
  }
  return ordered;
}

std::string stage_key(const Stage& stage) {
  config::Table key = stage.experiment.resolved;
  for (const char* later : {"evaluation", "tasks"}) key.erase(later);
  auto& general = *key.find("experiment")->get_if<config::Table>();
  for (const char* other : {"name", "loader_threads"}) general.erase(other);
  auto& stages = *key.find("stages")->get_if<config::Array>();
  stages.resize(stage.index + 1);
  for (config::Value& value : stages) {
    for (const char* other : {"checkpoint_every", "keep_checkpoints"}) value.get_if<config::Table>()->erase(other);
  }
  config::Table encoders;
  for (const std::string& name : encoders_up_to(stage)) {
    encoders.set(name, {stage.experiment.encoder(name).plugin.parameters, {}});
  }
  key.set("encoders", {encoders, {}});
  return config::to_toml(key);
}

}  // namespace astroclip
