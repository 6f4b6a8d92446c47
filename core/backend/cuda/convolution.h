#pragma once

#include "backend/backend.h"

/// The ways of computing convolutions. No argument is empty. Those that return bool do nothing and return false where
/// they do not apply.
namespace astroclip::cuda {

/// By kernels in float32 arithmetic, for every shape.
void convolve(const ConvolutionArguments& arguments);
void convolve_backward_input(const ConvolutionBackwardInputArguments& arguments);
/// dweight alone.
void convolve_backward_weight(const ConvolutionBackwardWeightArguments& arguments);

/// By plans of cuDNN that give the same bits each time, with operands in bf16. dx and dweight are rounded to bf16, too:
/// few shapes have plans that keep float32. `backend` rounds and permutes.
bool convolve_by_plan(Backend& backend, const ConvolutionArguments& arguments);
bool convolve_backward_input_by_plan(Backend& backend, const ConvolutionBackwardInputArguments& arguments);
bool convolve_backward_weight_by_plan(Backend& backend, const ConvolutionBackwardWeightArguments& arguments);

}  // namespace astroclip::cuda
