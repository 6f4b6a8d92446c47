#include "run/checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "ops/ops.h"
#include "record/metrics.h"
#include "train/selection.h"
#include "train/stage_parameters.h"
#include "train/stage_rows.h"
#include "train/step_context.h"

namespace astroclip::run {

namespace {

void check_weights(const Stage& stage) {
  const Experiment& experiment = stage.experiment;
  for (const InitSpec& init : stage.spec.init) {
    if (init.is_stage) continue;
    Model({experiment.encoder(init.encoder)}, experiment.run_device(), std::nullopt).load(init.encoder, init.source);
  }
}

/// A few objects; with `micro_batch` enough to split.
data::Batch first_batch(const train::StageSetup& setup, const Dataset& dataset, std::vector<int64_t> rows) {
  constexpr int64_t few = 4;
  const StageSpec& spec = setup.stage().spec;
  data::LoaderOptions options = setup.stage().loader_options(
      std::min({std::max(few, spec.micro_batch + 1), spec.batch, static_cast<int64_t>(rows.size())}));
  options.steps = 1;
  options.shuffle = false;
  rows.resize(static_cast<size_t>(options.batch));
  return data::Loader(dataset, std::move(rows), setup.views(), setup.loss().labels(), options).next();
}

/// Names of the parameters with a gradient, which goes.
std::vector<std::string> take_gradients(const std::vector<NamedTensor>& parameters) {
  std::vector<std::string> reached;
  for (NamedTensor entry : parameters) {
    if (!entry.tensor.grad().defined()) continue;
    reached.push_back(entry.name);
    entry.tensor.set_grad({});
  }
  return reached;
}

std::vector<std::string> check_batch(const Stage& stage, const Model& model, const Dataset& dataset) {
  const train::StageSetup setup(stage, model);
  data::RowSplit rows = train::stage_rows(setup, dataset);
  if (stage.spec.steps == 0) return {};
  const ops::PrecisionScope precision(stage.experiment.run_precision());
  const data::Batch batch = first_batch(setup, dataset, std::move(rows.training));
  const train::FrozenViews none;
  train::StepContext context(setup, none, batch, 0, train::Mode::validation);
  const LossValue loss = setup.loss().forward(context);
  context.backward(loss.total, 1.0);
  const std::vector<std::string> reached = take_gradients(train::stage_parameters(stage.spec, model, setup.loss()));
  record::Metrics metrics = record::metrics_of(loss);
  // What the tasks add is known when they have run.
  const ValidationSpec& validation = stage.spec.validation;
  if (validation.every == 0 || validation.tasks > 0) return reached;
  for (auto& [name, value] : metrics) name = "validation." + name;
  train::Selection(validation).offer(0, metrics);
  return reached;
}

}  // namespace

void check_stages(const Experiment& experiment, const Model& model, size_t first) {
  for (size_t index = first; index < experiment.stages.size(); ++index) {
    const Stage stage(experiment, index);
    check_weights(stage);
    const train::StageSetup setup(stage, model);
    (void)train::optimizer_scales(stage.spec, train::stage_parameters(stage.spec, model, setup.loss()));
  }
}

std::vector<std::vector<std::string>> check_batches(const Experiment& experiment, const Model& model,
                                                    const Dataset& dataset) {
  std::vector<std::vector<std::string>> reached;
  for (size_t index = 0; index < experiment.stages.size(); ++index) {
    reached.push_back(check_batch({experiment, index}, model, dataset));
  }
  // Weights packed for a few objects, and stages that train much later, would stay.
  for (const NamedTensor& entry : model.state()) entry.tensor.storage()->drop_derived();
  memory_of(experiment.run_device()).trim();
  return reached;
}

}  // namespace astroclip::run
