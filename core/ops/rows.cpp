#include <limits>
#include <utility>

#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

ConstView flat(const Tensor& x) { return {x.data(), {rows_of(x.shape()), x.size(-1)}, x.dtype()}; }
View flat(Tensor& x) { return {x.mutable_data(), {rows_of(x.shape()), x.size(-1)}, x.dtype()}; }

void needs_rows(const char* op, const Tensor& x) {
  if (x.rank() < 1) refuse(op, "needs at least one axis, found a scalar");
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon, Readers readers) {
  Backend& backend = enter("layer_norm", {&x, &weight, &bias});
  needs_rows("layer_norm", x);
  if (weight.shape() != Shape{x.size(-1)} || bias.shape() != weight.shape()) {
    refuse("layer_norm", "weight and bias must be [{}], found {} and {}", x.size(-1), weight.shape().str(),
           bias.shape().str());
  }
  const bool records = autograd::needs_gradient({&x, &weight, &bias});
  Tensor y = Tensor::empty(x.shape(), dtype_for(readers, x), x.device());
  Tensor mean = records ? like(x, {rows_of(x.shape())}) : Tensor();
  Tensor inverse = records ? like(x, {rows_of(x.shape())}) : Tensor();
  backend.layer_norm(
      {flat(x), weight, bias, epsilon, flat(y), records ? View(mean) : View(), records ? View(inverse) : View()});
  if (!records) return y;
  const DType stored = backend.stored_dtype(current_precision());
  return autograd::record(
      "layer_norm", y, {x, weight, bias},
      [x = x.detach(), weight = weight.detach(), mean, inverse, stored](const Tensor& dy, Tensor gathered) {
        Tensor dweight = like(weight), dbias = like(weight);
        Tensor dx = gathered.defined() && gathered.sole_owner() ? gathered : like(x);
        // What is read before the norm is a residual stream: products read its gradient, too.
        Tensor rounded = stored == x.dtype() ? Tensor() : Tensor::empty(x.shape(), stored, x.device());
        backend_of(x.device())
            .layer_norm_backward({.dy = flat(dy),
                                  .x = flat(x),
                                  .weight = weight,
                                  .mean = mean,
                                  .inverse_deviation = inverse,
                                  .dx = flat(dx),
                                  .dweight = dweight,
                                  .dbias = dbias,
                                  .gathered = gathered.defined() ? flat(std::as_const(gathered)) : ConstView(),
                                  .rounded = rounded.defined() ? flat(rounded) : View()});
        if (rounded.defined()) keep_rounded(dx, rounded);
        return std::vector<Tensor>{dx, dweight, dbias};
      });
}

Tensor softmax(const Tensor& x) {
  Backend& backend = enter("softmax", {&x});
  needs_rows("softmax", x);
  Tensor y = like(x);
  backend.softmax(flat(x), {}, 1.0, flat(y));
  return autograd::record("softmax", y, {x}, [y = y.detach()](const Tensor& dy) {
    Tensor dx = like(y);
    backend_of(y.device()).softmax_backward(flat(dy), flat(y), flat(dx));
    return std::vector<Tensor>{dx};
  });
}

Tensor log_sum_exp(const Tensor& x) {
  Backend& backend = enter("log_sum_exp", {&x});
  needs_rows("log_sum_exp", x);
  const Shape kept = x.shape().with(-1, 1);
  Tensor y = like(x, Shape(x.shape().extents().first(static_cast<size_t>(x.rank() - 1))));
  backend.log_sum_exp(flat(x), y);
  return autograd::record("log_sum_exp", y, {x}, [x = x.detach(), kept](const Tensor& dy) {
    Backend& device = backend_of(x.device());
    Tensor dx = like(x);
    device.softmax(flat(x), {}, 1.0, flat(dx));
    device.binary(BinaryOp::multiply, dx, dy.view_as(kept), dx);
    return std::vector<Tensor>{dx};
  });
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  Backend& backend = enter("cross_entropy", {&logits});
  if (logits.rank() != 2 || targets.dtype() != DType::i64 || targets.shape() != Shape{logits.size(0)}) {
    refuse("cross_entropy", "needs logits [rows, classes] and i64 targets [rows], found {} and {} {}",
           logits.shape().str(), name_of(targets.dtype()), targets.shape().str());
  }
  Tensor loss = like(logits, {logits.size(0)});
  Tensor lse = like(logits, {logits.size(0)});
  backend.cross_entropy(logits, targets, loss, lse);
  return autograd::record("cross_entropy", loss, {logits}, [logits = logits.detach(), targets, lse](const Tensor& dy) {
    Tensor dlogits = like(logits);
    backend_of(logits.device()).cross_entropy_backward(logits, targets, lse, dy, dlogits);
    return std::vector<Tensor>{dlogits};
  });
}

Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets, const Tensor& against, double temperature) {
  Backend& backend = enter("soft_cross_entropy", {&logits, &targets});
  if (logits.rank() != 2 || targets.rank() != 2 || targets.size(1) != logits.size(1)) {
    refuse("soft_cross_entropy", "needs logits [rows, classes] and targets [any, classes], found {} and {}",
           logits.shape().str(), targets.shape().str());
  }
  if (against.dtype() != DType::i64 || against.rank() != 2 || against.size(0) != logits.size(0)) {
    refuse("soft_cross_entropy", "needs i64 indices [{}, most], found {} {}", logits.size(0), name_of(against.dtype()),
           against.shape().str());
  }
  check_in_range("soft_cross_entropy", targets, against, std::numeric_limits<int64_t>::min());
  Tensor loss = like(logits, {logits.size(0)}), lse = like(loss), mass = like(loss);
  backend.soft_cross_entropy({.logits = logits,
                              .targets = targets,
                              .against = against,
                              .temperature = temperature,
                              .loss = loss,
                              .log_sum_exp = lse,
                              .mass = mass});
  return autograd::record(
      "soft_cross_entropy", loss, {logits},
      [logits = logits.detach(), targets = targets.detach(), against, temperature, lse, mass](const Tensor& dy) {
        Tensor dlogits = like(logits);
        backend_of(logits.device())
            .soft_cross_entropy_backward({.dloss = dy,
                                          .logits = logits,
                                          .targets = targets,
                                          .against = against,
                                          .temperature = temperature,
                                          .log_sum_exp = lse,
                                          .mass = mass,
                                          .dlogits = dlogits});
        return std::vector<Tensor>{dlogits};
      });
}

Tensor normalize_rows(const Tensor& x, double epsilon) {
  Backend& backend = enter("normalize_rows", {&x});
  needs_rows("normalize_rows", x);
  Tensor y = like(x);
  Tensor norm = like(x, {rows_of(x.shape())});
  backend.normalize_rows(flat(x), epsilon, flat(y), norm);
  return autograd::record("normalize_rows", y, {x}, [y = y.detach(), norm, epsilon](const Tensor& dy) {
    Tensor dx = like(y);
    backend_of(y.device()).normalize_rows_backward(flat(dy), flat(y), norm, epsilon, flat(dx));
    return std::vector<Tensor>{dx};
  });
}

Tensor weight_norm(const Tensor& x, const Tensor& length, double epsilon) {
  Backend& backend = enter("weight_norm", {&x, &length});
  if (x.rank() != 2 || length.shape() != Shape{x.size(0), 1}) {
    refuse("weight_norm", "needs x [rows, width] and length [rows, 1], found {} and {}", x.shape().str(),
           length.shape().str());
  }
  Tensor y = like(x), norm = like(x, {x.size(0)});
  backend.weight_norm(x, length, epsilon, y, norm);
  return autograd::record(
      "weight_norm", y, {x, length}, [x = x.detach(), length = length.detach(), norm, epsilon](const Tensor& dy) {
        Tensor dx = like(x), dlength = like(length);
        backend_of(x.device())
            .weight_norm_backward(
                {.dy = dy, .x = x, .length = length, .norm = norm, .epsilon = epsilon, .dx = dx, .dlength = dlength});
        return std::vector<Tensor>{dx, dlength};
      });
}

}  // namespace astroclip::ops
