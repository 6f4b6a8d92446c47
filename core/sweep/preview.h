#pragma once

#include <string>

#include "sweep/plan.h"

namespace astroclip::sweep {

/// A plan of the one run that a file without [sweep] makes.
Plan read_single(const config::Table& file);

/// What `run` would do, as text: the runs and how far they are in `folder` ("" for a new one), the stages that each
/// trains or takes from another, and how long training will take. Times a few steps of each kind of stage that is to be
/// trained; writes no run.
std::string preview(const Plan& plan, const std::string& folder);

}  // namespace astroclip::sweep
