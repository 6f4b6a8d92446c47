#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace astroclip::autograd {

/// Gives the gradients of an op's inputs from the gradient of its output, in the order of the inputs; an
/// undefined tensor where an input needs none. Saved tensors are captured by value and freed after the call.
using Backward = std::function<std::vector<Tensor>(const Tensor& gradient)>;

/// One recorded op.
class Node {
 public:
  Node(const char* name, std::vector<Tensor> inputs, Backward backward);

  const char* name;
  uint64_t sequence;  ///< order of recording; backward visits in descending order
  std::vector<Tensor> inputs;
  Backward backward;
};

/// True while ops record themselves (the default).
bool recording();

/// Stops recording for the life of the object, on this thread.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

/// True when recording and at least one defined input requires a gradient: ops save what backward needs only then.
bool needs_gradient(std::initializer_list<const Tensor*> inputs);

/// Records `output` as made by op `name` from `inputs` when one of them requires a gradient, and returns it.
Tensor record(const char* name, Tensor output, std::vector<Tensor> inputs, Backward backward);

/// Runs the tape back from `output`, adding to the gradient of every leaf that requires one, and frees the tape
/// as it goes. `gradient` is the cotangent; when undefined, the output must be one element and the cotangent is 1.
/// Throws Error when the output was not recorded.
void backward(const Tensor& output, Tensor gradient = {});

}  // namespace astroclip::autograd
