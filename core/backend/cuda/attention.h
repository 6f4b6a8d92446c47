#pragma once

#include "backend/backend.h"

/// The ways of computing attention. No argument is empty.
namespace astroclip::cuda {

/// By kernels in float32 arithmetic, for every shape.
void attend(const AttentionArguments& arguments);
void attend_backward(const AttentionBackwardArguments& arguments);

}  // namespace astroclip::cuda
