#pragma once

#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace astroclip::autograd {

/// Returns the gradients of an op's inputs, in order, given the gradient of its output; undefined for an input that
/// needs none. Saved tensors are captured by value and freed after the call.
using Backward = std::function<std::vector<Tensor>(const Tensor& gradient)>;
/// A rule that takes over what other readers of the op's first input have delivered to it, undefined if nothing, and
/// returns the sum for that input: an addition for which a kernel need not run.
using AddingBackward = std::function<std::vector<Tensor>(const Tensor& gradient, Tensor gathered)>;
/// A rule that records anew what gave the output and returns it; backward goes on from there.
using Replay = std::function<Tensor()>;

/// One recorded op.
class Node {
 public:
  using Rule = std::variant<Backward, AddingBackward, Replay>;
  Node(const char* name, std::vector<Tensor> inputs, Rule backward);

  const char* name;
  uint64_t sequence;  ///< order of recording; backward visits in descending order
  std::vector<Tensor> inputs;
  Rule backward;
};

/// Whether ops are recorded (the default).
bool recording();
/// Whether a Replay runs: what is computed was computed before.
bool replaying();

/// Disables recording on this thread during the lifetime of the object.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

/// Whether recording is on and a defined input requires a gradient; ops save tensors for backward only then.
bool needs_gradient(std::initializer_list<const Tensor*> inputs);

/// Records `output` as computed by op `name` from `inputs` if one of them requires a gradient, and returns it.
Tensor record(const char* name, Tensor output, std::vector<Tensor> inputs, Node::Rule backward);

/// Backpropagates from `output`, accumulates the gradient of every leaf that requires one, and frees the tape on the
/// way. `gradient` is the cotangent; if it is undefined, the output must have one element and the cotangent is 1.
/// Throws Error if the output was not recorded.
void backward(const Tensor& output, Tensor gradient = {});

}  // namespace astroclip::autograd
