#pragma once

#include <memory>

#include "backend/backend.h"

namespace astroclip {

/// The host's fast backend: float32, products by oneDNN, the rest SIMD kernels chosen at run time for the
/// processor. bf16 products where the processor has bf16 instructions.
std::shared_ptr<Backend> make_cpu_backend();

}  // namespace astroclip
