#pragma once

#include <memory>

#include "backend/backend.h"

namespace astroclip {

/// The oracle: every kernel as plain float64 loops on the host, written for reading, compared with by every other
/// backend and by the gradient checks. Products take float64 whatever the precision policy says.
std::shared_ptr<Backend> make_reference_backend();

}  // namespace astroclip
