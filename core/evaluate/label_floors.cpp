#include "evaluate/label_floors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/text.h"

namespace astroclip::evaluate {

namespace {

/// Calls `use(tower, floor)` with each floor of labels that is wanted, for every encoder of its modality.
void for_each_label_floor(const Experiment& experiment, const Dataset& dataset,
                          const std::function<void(const std::string& tower, const LabelFloor& floor)>& use) {
  const bool is_default = experiment.evaluation.label_floors == EvaluationSpec().label_floors;
  const std::vector<Field> fields = dataset.fields();
  const auto is_there = [&](const std::string& label) {
    return std::ranges::find(fields, label, &Field::name) != fields.end();
  };
  for (const EncoderSpec& encoder : experiment.encoders) {
    for (const LabelFloor& floor : experiment.evaluation.label_floors) {
      if (is_default && !std::ranges::all_of(floor.labels, is_there)) continue;
      if (floor.modality == modality_of(encoder) && wants_floor(experiment, floor.name)) use(encoder.name, floor);
    }
  }
}

/// Every label that tasks or floors must have, once.
std::vector<std::string> label_names(const Experiment& experiment, const Dataset& dataset) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<std::string>& more) {
    for (const std::string& name : more) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  };
  for (const plugin::Spec<Task>& spec : experiment.tasks) add(spec.make()->labels());
  for_each_label_floor(experiment, dataset, [&](const std::string&, const LabelFloor& floor) { add(floor.labels); });
  return names;
}

/// The default floors may be of modalities that the experiment lacks.
void check_label_floors(const Experiment& experiment) {
  if (experiment.evaluation.label_floors == EvaluationSpec().label_floors) return;
  std::vector<std::string> modalities;
  for (const EncoderSpec& encoder : experiment.encoders) modalities.push_back(modality_of(encoder));
  for (const LabelFloor& floor : experiment.evaluation.label_floors) {
    if (std::ranges::find(modalities, floor.modality) != modalities.end()) continue;
    throw Error(
        fmt::format("[evaluation.label_floors] '{}' is of the modality '{}', which no encoder has; there are: {}",
                    floor.name, floor.modality, fmt::join(modalities, ", ")));
  }
}

/// The objects that have the modality and all labels of the floor.
Vectors vectors_of(const LabelFloor& floor, const std::vector<bool>& present,
                   const std::map<std::string, std::vector<double>>& labels) {
  Vectors vectors;
  vectors.values.columns = static_cast<int64_t>(floor.labels.size());
  for (size_t object = 0; object < present.size(); ++object) {
    const auto is_known = [&](const std::string& name) { return std::isfinite(labels.at(name)[object]); };
    if (!present[object] || !std::ranges::all_of(floor.labels, is_known)) continue;
    vectors.objects.push_back(static_cast<int64_t>(object));
    ++vectors.values.rows;
    for (const std::string& name : floor.labels) {
      vectors.values.values.push_back(static_cast<float>(labels.at(name)[object]));
    }
  }
  return vectors;
}

}  // namespace

bool wants_floor(const Experiment& experiment, const std::string& name) {
  return std::ranges::find(experiment.evaluation.floors, name) != experiment.evaluation.floors.end();
}

std::vector<std::string> readable_labels(const Experiment& experiment, const Dataset& dataset) {
  std::vector<std::string> names = label_names(experiment, dataset);
  const std::vector<Field> fields = dataset.fields();
  for (const plugin::Spec<Task>& spec : experiment.tasks) {
    for (const std::string& name : spec.make()->optional_labels()) {
      const bool known = std::ranges::find(names, name) != names.end();
      if (!known && std::ranges::find(fields, name, &Field::name) != fields.end()) names.push_back(name);
    }
  }
  return names;
}

std::vector<Representation> label_floors(const Experiment& experiment, const Dataset& dataset,
                                         const ChosenObjects& chosen, const TaskInput& labels) {
  std::vector<Representation> floors;
  for_each_label_floor(experiment, dataset, [&](const std::string& tower, const LabelFloor& floor) {
    floors.push_back({floor.name, tower, true, Role::floor,
                      vectors_of(floor, chosen.train.present.at(floor.modality), labels.train_labels),
                      vectors_of(floor, chosen.test.present.at(floor.modality), labels.test_labels), true});
  });
  return floors;
}

void check_labels(const Experiment& experiment, const Dataset& dataset) {
  check_label_floors(experiment);
  std::vector<std::string> there;
  for (const Field& field : dataset.fields()) {
    if (field.shape.rank() == 0) there.push_back(field.name);
  }
  for (const std::string& label : label_names(experiment, dataset)) {
    if (std::ranges::find(there, label) != there.end()) continue;
    throw Error(fmt::format("dataset '{}' has no label '{}', which the tasks or floors read; its labels are {}{}",
                            experiment.dataset.plugin, label, fmt::join(there, ", "), suggestion(label, there)));
  }
}

}  // namespace astroclip::evaluate
