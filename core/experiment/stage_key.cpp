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
  const std::vector<std::string> used = encoders_up_to(stage);
  const auto is_unused = [&](const std::string& encoder) { return std::ranges::find(used, encoder) == used.end(); };
  std::erase_if(past.encoders, [&](const EncoderSpec& encoder) { return is_unused(encoder.name); });
  std::erase_if(past.dataset.views, [&](const data::ViewGroup& group) {
    const auto is_of = [&](const EncoderSpec& encoder) { return encoder.name == group.name; };
    return is_unused(group.name) && std::ranges::any_of(stage.experiment.encoders, is_of);
  });
  std::vector<std::string> sections = {"experiment", "dataset", "encoders", "stages"};
  const auto runs_tasks = [](const StageSpec& spec) { return spec.validation.tasks > 0; };
  if (std::ranges::any_of(past.stages, runs_tasks)) sections.insert(sections.end(), {"evaluation", "tasks"});
  const config::Table all = affecting_results(past.resolved());
  config::Table read;
  for (const std::string& section : sections) read.set(section, *all.find(section));
  return config::to_toml(read);
}

}  // namespace astroclip
