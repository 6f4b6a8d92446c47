#pragma once

#include "config/schema.h"
#include "experiment/experiment.h"

namespace astroclip {

const config::Schema<StageSpec>& stage_schema();

}  // namespace astroclip
