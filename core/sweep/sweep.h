#pragma once

#include <string>

#include "sweep/plan.h"

namespace astroclip::sweep {

enum class Outcome { finished, failed, interrupted };

/// Runs what is not finished in a sweep's folder, one after the other; stages that another run ended are taken from it.
/// A run that fails is reported, the others go on. Throws Error before anything runs when the folder holds runs of
/// other experiments under the same names.
Outcome run(const Plan& plan, const std::string& folder);

}  // namespace astroclip::sweep
