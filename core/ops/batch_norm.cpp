#include <algorithm>

#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

/// Normalises over the rows of each of `groups` equal parts of x [..., channels]. `moments` may be null.
Tensor normalise(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t groups,
                 double epsilon, BatchMoments* moments) {
  Backend& backend = enter(op, {&x, &weight, &bias});
  const int64_t channels = x.size(-1), rows = rows_of(x.shape()) / std::max<int64_t>(1, groups);
  const Shape grouped{groups, rows, channels};
  const auto in_groups = [=](const Tensor& tensor) { return ConstView(tensor.view_as(grouped)); };
  const auto out_groups = [=](Tensor& tensor) { return View(tensor.mutable_data(), grouped, tensor.dtype()); };
  Tensor y = like(x), mean = like(x, {groups, channels}), variance = like(x, {groups, channels});
  backend.batch_norm(
      {in_groups(x), optional_view(weight), optional_view(bias), epsilon, out_groups(y), mean, variance});
  if (moments != nullptr) *moments = {mean, variance};
  return autograd::record(
      op, y, {x, weight, bias},
      [=, x = x.detach(), weight = weight.defined() ? weight.detach() : Tensor()](const Tensor& dy) {
        std::vector<Tensor> gradients = {like(x), Tensor(), Tensor()};
        if (weight.defined()) gradients[1] = like(weight), gradients[2] = like(weight);
        backend_of(dy.device())
            .batch_norm_backward({in_groups(dy), in_groups(x), optional_view(weight), mean, variance, epsilon,
                                  out_groups(gradients[0]), weight.defined() ? View(gradients[1]) : View(),
                                  weight.defined() ? View(gradients[2]) : View()});
        return gradients;
      });
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon, BatchMoments* moments,
                  int64_t groups) {
  if (x.rank() < 2 || weight.shape() != Shape{x.size(-1)} || bias.shape() != weight.shape()) {
    refuse("batch_norm", "x [..., channels], weight and bias [channels] must agree, found {}, {} and {}",
           x.shape().str(), weight.shape().str(), bias.shape().str());
  }
  if (groups < 1 || x.size(0) % groups != 0) {
    refuse("batch_norm", "the first axis of x {} does not fall into {} equal groups", x.shape().str(), groups);
  }
  return normalise("batch_norm", x, weight, bias, groups, epsilon, moments);
}

Tensor instance_norm(const Tensor& x, double epsilon) {
  if (x.rank() < 3) refuse("instance_norm", "x must be [batch, ..., channels], found {}", x.shape().str());
  return normalise("instance_norm", x, {}, {}, x.size(0), epsilon, nullptr);
}

}  // namespace astroclip::ops
