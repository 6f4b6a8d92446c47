#include "train/batches.h"

#include <algorithm>

#include "backend/pinned.h"
#include "ops/ops.h"

namespace astroclip::train {

namespace {

int64_t batch_size(const Stage& stage, int64_t rows) { return std::min(stage.spec.batch, rows); }

}  // namespace

int64_t whole_batches(const Stage& stage, int64_t rows) { return rows == 0 ? 0 : rows / batch_size(stage, rows); }

void for_each_batch(const StageSetup& setup, const FrozenViews& frozen, const Dataset& dataset,
                    const std::vector<int64_t>& rows, int64_t step, Mode mode,
                    const std::function<void(StepContext&, const data::Batch&)>& visit) {
  const Stage& stage = setup.stage();
  const ops::PrecisionScope precision(stage.experiment.run_precision());
  const auto count = static_cast<int64_t>(rows.size());
  if (count == 0) return;
  data::LoaderOptions options = stage.loader_options(batch_size(stage, count));
  options.steps = whole_batches(stage, count);
  options.memory = pinned_memory(stage.experiment.run_device());
  const auto loader = frozen.loader(setup, dataset, rows, options);
  for (int64_t i = 0; i < options.steps; ++i) {
    const data::Batch batch = loader->next();
    StepContext context(setup, frozen, batch, step, mode);
    visit(context, batch);
  }
}

}  // namespace astroclip::train
