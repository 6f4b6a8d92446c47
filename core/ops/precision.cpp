#include "ops/ops.h"

namespace astroclip::ops {

namespace {
thread_local Precision ambient = Precision::f32;
}

PrecisionScope::PrecisionScope(Precision precision) : previous_(ambient) { ambient = precision; }
PrecisionScope::~PrecisionScope() { ambient = previous_; }
Precision current_precision() { return ambient; }

}  // namespace astroclip::ops
