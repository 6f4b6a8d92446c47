#include "train/stage_rows.h"

#include <fmt/format.h>

#include "base/error.h"
#include "data/loader.h"

namespace astroclip::train {

data::Parted stage_rows(const Experiment& experiment, size_t stage, const StageEngine& engine, const Dataset& dataset) {
  const StageSpec& spec = experiment.stages[stage];
  data::Parted rows = data::set_apart(dataset, data::rows_with(dataset, Split::train, engine.modalities_of_views()),
                                      experiment.validation, static_cast<uint64_t>(experiment.seed));
  const auto count = static_cast<int64_t>(rows.training.size());
  if (count >= spec.batch) return rows;
  throw Error(fmt::format("[stages.{}] 'batch' = {} exceeds the {} training objects", spec.name, spec.batch, count));
}

}  // namespace astroclip::train
