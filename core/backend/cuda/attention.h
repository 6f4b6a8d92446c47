#pragma once

#include "backend/backend.h"

/// The ways of computing attention. No argument is empty, but for queries or keys of attend_backward. Those that return
/// bool do nothing and return false where they do not apply.
namespace astroclip::cuda {

/// By kernels in float32 arithmetic, for every shape.
void attend(const AttentionArguments& arguments);
void attend_backward(const AttentionBackwardArguments& arguments);

/// By plans of cuDNN that give the same bits each time: for heads whose width is a multiple of 8, at most 256, or 128
/// in float32; the gradient in bf16 alone.
bool attend_by_plan(const AttentionArguments& arguments);
bool attend_backward_by_plan(const AttentionBackwardArguments& arguments);

/// On tensor cores: for bf16, heads of 64 and at most 160 tokens.
bool attend_short(const AttentionArguments& arguments);
bool attend_short_backward(const AttentionBackwardArguments& arguments);

}  // namespace astroclip::cuda
