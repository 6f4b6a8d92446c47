#include "train/validator.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/tape.h"
#include "base/error.h"
#include "ops/ops.h"
#include "train/step_context.h"

namespace astroclip::train {

Validator::Validator(const StageSetup& setup, const FrozenViews& frozen, const Dataset& dataset,
                     std::vector<int64_t> rows)
    : setup_(setup), frozen_(frozen), dataset_(dataset), rows_(std::move(rows)) {
  if (rows_.empty()) {
    throw Error(
        fmt::format("[stages.{}] no object is set apart to validate on; [experiment] 'validation' = {} is too "
                    "small a share",
                    setup.stage().spec.name, setup.stage().experiment.validation));
  }
}

record::Metrics Validator::measure(int64_t step) const {
  const autograd::NoGrad guard;
  const Stage& stage = setup_.stage();
  const ops::PrecisionScope precision(stage.experiment.run_precision());
  const auto count = static_cast<int64_t>(rows_.size());
  data::LoaderOptions options = stage.loader_options(std::min(stage.spec.batch, count));
  options.steps = count / options.batch;
  data::Loader loader(dataset_, rows_, frozen_.to_load(setup_, options.batch), setup_.loss().labels(), options);
  record::MetricMeans means;
  for (int64_t i = 0; i < options.steps; ++i) {
    const data::Batch batch = loader.next();
    StepContext context(setup_, frozen_, batch, step, Mode::validation);
    means.add(record::metrics_of(setup_.forward(context)));
  }
  record::Metrics found = means.means();
  for (auto& [name, value] : found) name = "validation." + name;
  return found;
}

}  // namespace astroclip::train
