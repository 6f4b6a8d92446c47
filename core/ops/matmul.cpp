#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

Tensor product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
  Shape shape = a.shape().with(-2, a.size(transpose_a ? -1 : -2)).with(-1, b.size(transpose_b ? -2 : -1));
  Tensor c = like(a, shape);
  backend_of(a.device()).matmul(a, transpose_a, b, transpose_b, 1.0, c);
  return c;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  enter("matmul", {&a, &b});
  const bool ranks = a.rank() >= 2 && a.rank() == b.rank();
  bool batches = ranks;
  for (int axis = 0; batches && axis < a.rank() - 2; ++axis) batches = a.size(axis) == b.size(axis);
  if (!batches || a.size(transpose_a ? -2 : -1) != b.size(transpose_b ? -1 : -2)) {
    refuse("matmul", "cannot multiply {}{} with {}{}{}", a.shape().str(), transpose_a ? "ᵀ" : "", b.shape().str(),
           transpose_b ? "ᵀ" : "",
           batches ? "" : ": both need two axes or more, and all but the last two must be equal");
  }
  const Tensor c = product(a, transpose_a, b, transpose_b);
  if (!autograd::needs_gradient({&a, &b})) return c;
  return autograd::record(
      "matmul", c, {a, b},
      [=, a = a.detach(), b = b.detach(), need_a = a.requires_grad(), need_b = b.requires_grad()](const Tensor& dc) {
        std::vector<Tensor> gradients(2);
        if (need_a) {
          gradients[0] = transpose_a ? product(b, transpose_b, dc, true) : product(dc, false, b, !transpose_b);
        }
        if (need_b) {
          gradients[1] = transpose_b ? product(dc, true, a, transpose_a) : product(a, !transpose_a, dc, false);
        }
        return gradients;
      });
}

}  // namespace astroclip::ops
