#pragma once

#include <string>

namespace astroclip {

/// The instruction tier of this processor that kernels use: "amx_bf16", "avx512_bf16", "avx512", "avx2" or "x86-64-v2".
/// Results of different tiers differ in their last digits.
std::string instruction_tier();

}  // namespace astroclip
