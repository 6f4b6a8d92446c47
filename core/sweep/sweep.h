#pragma once

#include <string>

#include "experiment/provenance.h"
#include "sweep/plan.h"

namespace astroclip::sweep {

enum class Outcome { finished, failed, interrupted };

/// Runs the unfinished runs of a sweep one after the other in its folder. A stage that another run has finished is
/// copied from that run. A run that fails is reported and the sweep continues. Throws Error before anything runs when
/// the folder has runs of other experiments under the same names, or finished runs of other data or, unless `rebuilt`
/// accepts it, other code.
Outcome run(const Plan& plan, const std::string& folder, Rebuilt rebuilt = Rebuilt::refuse);

}  // namespace astroclip::sweep
