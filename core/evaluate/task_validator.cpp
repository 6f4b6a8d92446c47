#include "evaluate/task_validator.h"

#include <fmt/format.h>

#include <algorithm>

#include "evaluate/extractors.h"

namespace astroclip::evaluate {

namespace {

void add(const Report& report, record::Metrics& metrics) {
  for (const Measurement& line : report.rows) {
    for (const auto& [metric, value] : line.values) {
      std::string name = fmt::format("validation.{} {} {}", metric, line.modality, line.method);
      if (std::ranges::find(metrics, name, &std::pair<std::string, double>::first) != metrics.end()) {
        name += fmt::format(" ({})", report.title);
      }
      metrics.emplace_back(name, value);
    }
  }
}

}  // namespace

TaskValidator::TaskValidator(const Experiment& experiment, const StageSpec& stage, std::vector<std::string> towers,
                             const Model& model, const Dataset& dataset, const std::vector<int64_t>& training,
                             std::vector<int64_t> validation)
    : experiment_(experiment),
      towers_(std::move(towers)),
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
    const Extractor extractor =
        encoder_extractor("model", tower, model_.shared_encoder(tower), experiment_.run_device(),
                          experiment_.run_precision(), experiment_.evaluation.embedding == Embedding::head, false);
    Representation embedding{extractor.name, tower, extractor.cross_modal, false, {}, {}};
    const auto embed = [&](const std::vector<int64_t>& rows, Matrix& matrix) {
      for_each_batch(dataset_, rows, {extractor.view}, reading_options(experiment_, Split::train),
                     [&](const data::Batch& batch) {
                       append_rows(matrix, extractor.extract(batch.views.at(extractor.view.request.name)));
                       return true;
                     });
    };
    embed(training_, embedding.train);
    embed(validation_, embedding.test);
    input.representations.push_back(std::move(embedding));
  }
  input.train_ids = data::read_ids(dataset_, Split::train, training_);
  input.test_ids = data::read_ids(dataset_, Split::train, validation_);
  record::Metrics metrics;
  for (const auto& task : tasks_) {
    for (const std::string& label : task->labels()) {
      input.train_labels[label] = data::read_label(dataset_, Split::train, training_, label);
      input.test_labels[label] = data::read_label(dataset_, Split::train, validation_, label);
    }
    for (const Report& report : task->run(input)) add(report, metrics);
  }
  return metrics;
}

}  // namespace astroclip::evaluate
