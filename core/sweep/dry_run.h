#pragma once

#include <string>

#include "sweep/plan.h"

namespace astroclip::sweep {

/// The plan of a file without [sweep]: one run.
Plan read_single(const config::Table& file);

/// What `run` would do, as text: the runs and their state in `folder` ("" for a new one), the stages that each trains
/// or shares with another run, and an estimate of the training time, for which a few steps of each kind of stage are
/// run. Writes no run.
std::string dry_run(const Plan& plan, const std::string& folder);

}  // namespace astroclip::sweep
