#include "evaluate/task_validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "base/error.h"
#include "evaluate/embedder.h"
#include "evaluate/left_out.h"
#include "evaluate/run_task.h"

namespace astroclip::evaluate {

TaskValidator::TaskValidator(const Experiment& experiment, const StageSpec& stage, std::vector<std::string> towers,
                             const Model& model, const Origins& origins, const Dataset& dataset,
                             const std::vector<int64_t>& training, std::vector<int64_t> validation)
    : experiment_(experiment),
      spec_(stage.validation),
      towers_(std::move(towers)),
      origins_(origins),
      model_(model),
      dataset_(dataset),
      validation_(std::move(validation)) {
  const size_t count = std::min(training.size(), static_cast<size_t>(stage.validation.tasks));
  for (size_t i = 0; i < count; ++i) training_.push_back(training[i * training.size() / count]);
  for (const plugin::Spec<Task>& spec : experiment.tasks) tasks_.push_back(spec.make());
}

record::Metrics TaskValidator::measure() const {
  TaskInput input;
  input.seed = experiment_.seed;
  for (const std::string& tower : towers_) {
    const Embedder embedder = embedder_of(tower, experiment_, model_, origins_);
    const auto embed = [&](const std::vector<int64_t>& rows) {
      return of_all(embed_rows(embedder, experiment_, dataset_, Split::train, rows));
    };
    const bool head = embedder.form() == TokenForm::alignment;
    input.representations.push_back({"model", tower, head, Role::model, embed(training_), embed(validation_)});
  }
  for (const auto& [rows, ids] : {std::pair(&training_, &input.train_ids), {&validation_, &input.test_ids}}) {
    ObjectIds own = data::read_object_ids(dataset_, Split::train, *rows);
    input.id_names.add(own);
    *ids = std::move(own.keys);
  }
  const bool whole = leave_out(input, experiment_.evaluation.max_not_finite).empty();
  std::vector<Report> reports;
  for (const auto& task : tasks_) {
    for (const std::string& label : labels_of(*task)) {
      input.train_labels[label] = data::read_label(dataset_, Split::train, training_, label);
      input.test_labels[label] = data::read_label(dataset_, Split::train, validation_, label);
    }
    TaskResult result = run_task(*task, input);
    std::ranges::move(result.reports, std::back_inserter(reports));
  }
  record::Metrics metrics;
  for (const Measure& one : measures(reports)) {
    metrics.emplace_back("validation." + one.name, one.value);
    if (metrics.back().first == spec_.metric) check_mode(one);
  }
  if (!whole) {
    const auto measured = input.representations.front().test.objects.size();
    metrics.emplace_back("validation.left_out", static_cast<double>(validation_.size() - measured));
  }
  return metrics;
}

void TaskValidator::check_mode(const Measure& deciding) const {
  static const std::map<Better, std::pair<Extremum, const char*>> modes = {
      {Better::less, {Extremum::min, "min"}},
      {Better::more, {Extremum::max, "max"}},
      {Better::nearer_zero, {Extremum::zero, "zero"}}};
  if (!deciding.better) return;
  const auto& [mode, name] = modes.at(*deciding.better);
  if (spec_.mode == mode) return;
  throw Error(
      fmt::format("[stages.validation] 'mode' must be \"{}\" for the metric '{}', or the worst weights are kept", name,
                  spec_.metric));
}

std::vector<std::string> TaskValidator::labels_of(const Task& task) const {
  std::vector<std::string> names = task.labels();
  const std::vector<Field> fields = dataset_.fields();
  for (const std::string& name : task.optional_labels()) {
    if (std::ranges::find(fields, name, &Field::name) != fields.end()) names.push_back(name);
  }
  return names;
}

}  // namespace astroclip::evaluate
