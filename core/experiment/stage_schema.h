#pragma once

#include "config/schema.h"
#include "experiment/experiment.h"

namespace astroclip {

/// A stage's table as it stands in the file: the loss's parameters and `init` are not yet read.
struct StageOutline : StageSpec {
  config::Value loss_table, init_table;
};

const config::Schema<StageOutline>& stage_schema();

}  // namespace astroclip
