#include "run/rehearsal.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/tape.h"
#include "base/error.h"
#include "ops/ops.h"
#include "record/metrics.h"
#include "train/selection.h"
#include "train/stage_parameters.h"
#include "train/stage_rows.h"

namespace astroclip::run {

namespace {

void check_weights(const Experiment& experiment, const StageSpec& stage) {
  for (const InitSpec& init : stage.init) {
    if (init.is_stage) continue;
    Model({experiment.encoder(init.encoder)}, experiment.run_device(), std::nullopt).load(init.encoder, init.source);
  }
}

/// A few objects; with `micro_batch` enough to split.
data::Batch first_batch(const Experiment& experiment, size_t index, const train::StageEngine& engine,
                        const Dataset& dataset, std::vector<int64_t> rows) {
  constexpr int64_t few = 4;
  const StageSpec& stage = experiment.stages[index];
  data::LoaderOptions options;
  options.batch = std::min({std::max(few, stage.micro_batch + 1), stage.batch, static_cast<int64_t>(rows.size())});
  options.steps = 1;
  options.shuffle = false;
  options.seed = static_cast<uint64_t>(experiment.seed);
  options.stream = index;
  rows.resize(static_cast<size_t>(options.batch));
  return data::Loader(dataset, std::move(rows), engine.view_plans(), engine.loss().labels(), options).next();
}

void rehearse(const Experiment& experiment, size_t index, Model& model, const Dataset& dataset) {
  const StageSpec& stage = experiment.stages[index];
  train::StageEngine engine(experiment, index, model);
  Loss& loss = engine.make_loss();
  data::Parted rows = train::stage_rows(experiment, index, engine, dataset);
  if (stage.steps == 0) return;
  const autograd::NoGrad no_grad;
  const ops::PrecisionScope precision(experiment.run_precision());
  engine.begin(first_batch(experiment, index, engine, dataset, std::move(rows.training)), 0,
               train::StageEngine::Mode::validation);
  record::Metrics metrics = record::metrics_of(loss.forward(engine));
  // What the tasks add is known when they have run.
  if (stage.validation.every == 0 || stage.validation.tasks > 0) return;
  for (auto& [name, value] : metrics) name = "validation." + name;
  train::Selection(stage.validation).offer(0, metrics);
}

}  // namespace

void check_stages(const Experiment& experiment, Model& model, size_t first) {
  for (size_t index = first; index < experiment.stages.size(); ++index) {
    const StageSpec& stage = experiment.stages[index];
    check_weights(experiment, stage);
    train::StageEngine engine(experiment, index, model);
    train::freeze_parts(stage, model);
    const Loss& loss = engine.make_loss();
    (void)train::optimizer_scales(stage, train::stage_parameters(stage, model, loss));
  }
}

void rehearse_stages(const Experiment& experiment, Model& model, const Dataset& dataset, size_t first) {
  for (size_t index = first; index < experiment.stages.size(); ++index) rehearse(experiment, index, model, dataset);
  // Weights packed for a few objects, and stages that train much later, would stay.
  for (const NamedTensor& entry : model.state()) entry.tensor.storage()->drop_derived();
  memory_of(experiment.run_device()).trim();
}

}  // namespace astroclip::run
