#include "train/validator.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/tape.h"
#include "base/error.h"
#include "ops/ops.h"

namespace astroclip::train {

Validator::Validator(const Experiment& experiment, size_t stage, StageEngine& engine, const Dataset& dataset,
                     std::vector<int64_t> rows)
    : experiment_(experiment), stage_(stage), engine_(engine), dataset_(dataset), rows_(std::move(rows)) {
  if (rows_.empty()) {
    throw Error(
        fmt::format("[stages.{}] no object is set apart to validate on; [experiment] 'validation' = {} is too "
                    "small a share",
                    experiment.stages[stage].name, experiment.validation));
  }
}

record::Metrics Validator::measure(int64_t step) const {
  const autograd::NoGrad guard;
  const ops::PrecisionScope precision(experiment_.run_precision());
  const auto count = static_cast<int64_t>(rows_.size());
  data::LoaderOptions options;
  options.batch = std::min(experiment_.stages[stage_].batch, count);
  options.steps = count / options.batch;
  options.seed = static_cast<uint64_t>(experiment_.seed);
  options.stream = stage_;
  options.threads = static_cast<int>(experiment_.loader_threads);
  data::Loader loader(dataset_, rows_, engine_.view_plans(), engine_.loss().labels(), options);
  record::MetricMeans means;
  for (int64_t batch = 0; batch < options.steps; ++batch) {
    engine_.begin(loader.next(), step, StageEngine::Mode::validation);
    means.add(record::metrics_of(engine_.loss().forward(engine_)));
  }
  record::Metrics found = means.means();
  for (auto& [name, value] : found) name = "validation." + name;
  return found;
}

}  // namespace astroclip::train
