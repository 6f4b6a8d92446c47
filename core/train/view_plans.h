#pragma once

#include <vector>

#include "data/view_maker.h"
#include "experiment/stage.h"

namespace astroclip::train {

/// How a view that a loss asks for is made for its encoder. Throws Error naming the groups whose crops differ in size.
data::ViewPlan plan_view(const Experiment& experiment, const Encoder& taker, ViewRequest request);

/// All that a stage's loss asks for, found without weights.
std::vector<data::ViewPlan> planned_views(const Stage& stage);

}  // namespace astroclip::train
