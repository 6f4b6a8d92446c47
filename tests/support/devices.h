#pragma once

#include "tensor/memory.h"

namespace astroclip::testing_support {

inline constexpr Device cpu{DeviceKind::cpu};
inline constexpr Device reference{DeviceKind::reference};

}  // namespace astroclip::testing_support
