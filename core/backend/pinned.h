#pragma once

#include <memory_resource>

#include "tensor/memory.h"

namespace astroclip {

/// Host memory that copies to and from a device without staging; of a device on the host, ordinary memory. A released
/// block serves again when the copies that were queued before its release have been made. Thread-safe.
std::pmr::memory_resource* pinned_memory(Device device);

}  // namespace astroclip
