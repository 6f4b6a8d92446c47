#pragma once

#include <string>

namespace astroclip {

/// The widest instructions of this processor that kernels use: "avx512_bf16", "avx512", "avx2" or "x86-64-v2". Results
/// differ in their last digits between them.
std::string instruction_tier();

}  // namespace astroclip
