#include "train/stage_rows.h"

#include <fmt/format.h>

#include "base/error.h"
#include "data/loader.h"

namespace astroclip::train {

data::RowSplit stage_rows(const StageSetup& setup, const Dataset& dataset) {
  const Stage& stage = setup.stage();
  const StageSpec& spec = stage.spec;
  data::RowSplit rows =
      data::split_validation(dataset, data::rows_with(dataset, Split::train, setup.modalities_of_views()),
                             stage.experiment.validation, stage.seed());
  if ((spec.validation.every > 0 || spec.watch.every > 0) && rows.validation.empty()) {
    throw Error(
        fmt::format("[stages.{}] no object is set apart to validate on; [experiment] 'validation' = {} is too "
                    "small a share",
                    spec.name, stage.experiment.validation));
  }
  const auto count = static_cast<int64_t>(rows.training.size());
  if (count >= spec.batch) return rows;
  throw Error(fmt::format("[stages.{}] 'batch' = {} exceeds the {} training objects", spec.name, spec.batch, count));
}

}  // namespace astroclip::train
