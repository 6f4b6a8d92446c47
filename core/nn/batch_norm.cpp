#include "nn/batch_norm.h"

#include "autograd/tape.h"
#include "base/error.h"
#include "ops/operators.h"

namespace astroclip::nn {

BatchNorm::BatchNorm(int64_t channels, double epsilon, double momentum) : epsilon_(epsilon), momentum_(momentum) {
  parameter("weight", weight_, {channels}, Init::constant(1.0));
  parameter("bias", bias_, {channels}, Init::zeros());
  buffer("running_mean", running_mean_, {channels}, Init::zeros());
  buffer("running_var", running_var_, {channels}, Init::constant(1.0));
}

BatchNorm::Affine BatchNorm::affine() const {
  if (training() && (weight_.requires_grad() || batch_statistics().of_frozen)) return {};
  const Tensor factor = weight_ / ops::sqrt(running_var_ + epsilon_);
  return {factor, bias_ - running_mean_ * factor};
}

Tensor BatchNorm::operator()(const Tensor& x) const {
  const Affine fixed = affine();
  if (fixed.factor.defined()) return x * fixed.factor + fixed.shift;
  const auto [groups, of_frozen] = batch_statistics();
  const int64_t rows = x.numel() / x.size(-1) / groups;
  if (rows < 2) throw Error("[batch_norm] one row has no variance to train with; use larger batches");
  ops::BatchMoments moments;
  const Tensor y = ops::batch_norm(x, weight_, bias_, epsilon_, &moments, groups);
  // The first pass of micro-batches runs without the tape; the second one updates the statistics. What a backward pass
  // computes again has been counted.
  if ((autograd::recording() || of_frozen) && !autograd::replaying()) remember(moments, rows);
  return y;
}

void BatchNorm::remember(const ops::BatchMoments& moments, int64_t rows) const {
  const autograd::NoGrad no_grad;
  const auto count = static_cast<double>(rows);
  const Tensor mean = ops::mean(moments.mean, {0});
  const Tensor unbiased = count / (count - 1.0) * ops::mean(moments.variance, {0});
  const View targets[] = {running_mean_, running_var_};
  const ConstView sources[] = {mean, unbiased};
  backend_of(running_mean_.device()).exponential_average(targets, sources, 1.0 - momentum_);
}

}  // namespace astroclip::nn
