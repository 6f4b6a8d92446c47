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
  Experiment past = stage.experiment;
  past.stages.resize(stage.index + 1);
  past.evaluation = {};
  past.tasks.clear();
  const std::vector<std::string> used = encoders_up_to(stage);
  std::erase_if(past.encoders,
                [&](const EncoderSpec& encoder) { return std::ranges::find(used, encoder.name) == used.end(); });
  return config::to_toml(affecting_results(past.resolved()));
}

}  // namespace astroclip
