#pragma once

#include "backend/backend.h"

/// The ways of computing convolutions. No argument is empty.
namespace astroclip::cuda {

/// By kernels in float32 arithmetic, for every shape.
void convolve(const ConvolutionArguments& arguments);
void convolve_backward_input(const ConvolutionBackwardInputArguments& arguments);
/// dweight alone.
void convolve_backward_weight(const ConvolutionBackwardWeightArguments& arguments);

}  // namespace astroclip::cuda
