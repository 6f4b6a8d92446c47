#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

/// Whether x is not a part of a larger storage, whose derived forms belong to the whole.
bool is_whole(const Tensor& x) {
  const Storage& storage = *x.storage();
  return static_cast<const void*>(storage.data()) == x.data() && storage.bytes() == x.bytes();
}

/// Tags of derived forms that are no packed weights, whose tags are precisions.
constexpr int rounded_tag = -1, scaled_tag = -2;

}  // namespace

void keep_rounded(const Tensor& x, const Tensor& rounded) {
  if (!is_whole(x)) return;
  Storage& storage = *x.storage();
  storage.derived(0) = {std::make_shared<Tensor>(rounded), storage.version(), rounded_tag, x.shape()};
}

Tensor kept_rounded(const Tensor& x) {
  if (!is_whole(x)) return {};
  const Storage::Derived& slot = x.storage()->derived(0);
  if (!slot.form || slot.tag != rounded_tag || slot.version != x.storage()->version()) return {};
  return static_cast<const Tensor*>(slot.form.get())->view_as(x.shape());
}

namespace {

/// The packed form of a weight for one use, remade if the weight was written since or has another shape. Null if
/// packing is not worthwhile, or if the weight is part of a larger storage.
std::shared_ptr<Prepared> packed(const Tensor& weight, WeightUse use, Precision precision, int64_t rows) {
  if (!is_whole(weight)) return nullptr;
  Storage& storage = *weight.storage();
  Backend& backend = backend_of(weight.device());
  const WeightUse kept = backend.prepares_for_both_uses() ? WeightUse::forward : use;
  Storage::Derived& slot = storage.derived(static_cast<int>(kept));
  const bool is_current = slot.form && slot.version == storage.version() && slot.tag == static_cast<int>(precision) &&
                          slot.shape == weight.shape();
  if (!is_current) {
    slot.form = backend.prepare(weight, use, precision, rows);
    slot.version = storage.version();
    slot.tag = static_cast<int>(precision);
    slot.shape = weight.shape();
    if (slot.form) storage.set_aside();
  }
  return std::static_pointer_cast<Prepared>(slot.form);
}

void check_shapes(const Tensor& x, const Tensor& weight, const Tensor& bias, const LinearOptions& options,
                  const Shape& result) {
  if (weight.rank() != 2 || x.rank() < 1 || x.size(-1) != weight.size(1)) {
    refuse("linear", "x [..., in] and weight [out, in] must agree, found {} and {}", x.shape().str(),
           weight.shape().str());
  }
  if (bias.defined() && bias.shape() != Shape{weight.size(0)}) {
    refuse("linear", "bias must be [{}], found {}", weight.size(0), bias.shape().str());
  }
  if (options.residual.defined() && options.residual.shape() != result) {
    refuse("linear", "the residual must be {}, found {}", result.str(), options.residual.shape().str());
  }
  if (options.scale.defined() && options.scale.shape() != Shape{weight.size(0)}) {
    refuse("linear", "the scale must be [{}], found {}", weight.size(0), options.scale.shape().str());
  }
  if (options.scale.defined() && options.activation != Activation::none) {
    refuse("linear", "takes a scale or an activation, not both");
  }
  const bool adds = options.scale.defined() || options.residual.defined() || options.activation == Activation::relu;
  if (options.readers != Readers::any && adds) {
    refuse("linear", "a result for products or pooling alone takes no scale, residual or ReLU");
  }
}

/// Contents that a derived form was made from.
struct Source {
  std::shared_ptr<const Storage> storage;
  uint64_t version = 0;
  explicit Source(const Tensor& x)
      : storage(x.defined() ? x.storage() : nullptr), version(storage ? storage->version() : 0) {}
  bool operator==(const Source&) const = default;
};

/// Weight and bias times a scale; undefined until their second use.
struct Scaled {
  Source bias_source, scale_source;
  Tensor weight, bias;
};

Tensor times(const Tensor& a, const Tensor& b) {
  Tensor product = like(a);
  backend_of(a.device()).binary(BinaryOp::multiply, a, b, product);
  return product;
}

/// s · W and s · b, kept with W until one of the three is written; null at their first use, because weights that are
/// trained change before the next. The backend must prepare one form for both uses, which leaves the second slot free.
const Scaled* scaled(const Tensor& weight, const Tensor& bias, const Tensor& scale) {
  if (!is_whole(weight) || !backend_of(weight.device()).prepares_for_both_uses()) return nullptr;
  Storage& storage = *weight.storage();
  Storage::Derived& slot = storage.derived(1);
  auto* known = slot.tag == scaled_tag ? static_cast<Scaled*>(slot.form.get()) : nullptr;
  const bool is_current = known != nullptr && slot.version == storage.version() && slot.shape == weight.shape() &&
                          known->bias_source == Source(bias) && known->scale_source == Source(scale);
  if (!is_current) {
    slot = {std::make_shared<Scaled>(Source(bias), Source(scale)), storage.version(), scaled_tag, weight.shape()};
    return nullptr;
  }
  if (!known->weight.defined()) {
    known->weight = times(weight, scale.view_as({scale.numel(), 1}));
    if (bias.defined()) known->bias = times(bias, scale);
  }
  return known;
}

UnaryOp kernel_of(Activation activation) { return activation == Activation::gelu ? UnaryOp::gelu : UnaryOp::relu; }

/// Saved for backward; tensors are detached.
struct SavedLinear {
  Tensor x, weight, bias, pre_activation, scale;
  Activation activation;
  Precision precision;
  bool needs_x, needs_weight, needs_bias, needs_scale;
};

/// `operand` is dpre as products read it.
Tensor input_gradient(const SavedLinear& saved, const Tensor& dpre, const Tensor& operand) {
  const int64_t rows = rows_of(dpre.shape());
  const Shape flat{rows, dpre.size(-1)};
  Tensor dx = like(saved.x);
  const auto weight = packed(saved.weight, WeightUse::backward_input, saved.precision, rows);
  const bool scales = saved.scale.defined();
  backend_of(dx.device())
      .linear_backward_input({.dy = (scales ? dpre : operand).view_as(flat),
                              .weight = saved.weight,
                              .packed = weight.get(),
                              .dx = View(dx.mutable_data(), {rows, dx.size(-1)}, dx.dtype()),
                              .precision = saved.precision,
                              .scale = optional_view(saved.scale),
                              .stored_dy = scales ? ConstView(operand.view_as(flat)) : ConstView()});
  return dx;
}

/// x as products of that precision read it, so that it is rounded once for several of them.
Tensor rounded(const Tensor& x, Precision precision) {
  Backend& backend = backend_of(x.device());
  const DType dtype = backend.stored_dtype(precision);
  if (x.dtype() == dtype) return x;
  if (const Tensor kept = kept_rounded(x); kept.defined() && kept.dtype() == dtype) return kept;
  Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  backend.cast(x, y);
  return y;
}

/// y = s · (x Wᵀ + b) is the product with s · W and s · b. From their gradients G and g: dW = s · G, db = s · g and
/// ds[i] = Σ_j W[i, j] G[i, j] + b[i] g[i], so that the forward pass saves no product.
void share_with_scale(const SavedLinear& saved, std::vector<Tensor>& gradients) {
  Backend& backend = backend_of(saved.scale.device());
  const int64_t out = saved.scale.numel();
  gradients[4] = like(saved.scale);
  backend.reduce(ReduceOp::sum, times(gradients[1], saved.weight),
                 View(gradients[4].mutable_data(), {out, 1}, gradients[4].dtype()));
  gradients[1] = times(gradients[1], saved.scale.view_as({out, 1}));
  if (!gradients[2].defined()) return;
  backend.scale_add(1.0, times(gradients[2], saved.bias), 1.0, 0.0, gradients[4]);
  gradients[2] = times(gradients[2], saved.scale);
}

std::vector<Tensor> linear_gradients(const SavedLinear& saved, const Tensor& dy) {
  Backend& backend = backend_of(dy.device());
  Tensor dpre = dy;
  if (saved.activation != Activation::none) {
    dpre = like(dy);
    // The derivatives of GELU and ReLU need only x, so y is not saved.
    backend.unary_backward(kernel_of(saved.activation), saved.pre_activation, saved.pre_activation, dy, dpre);
  }
  std::vector<Tensor> gradients(5);
  gradients[3] = dy;  // the residual's
  const Tensor operand = rounded(dpre, saved.precision);
  if (saved.needs_x) gradients[0] = input_gradient(saved, dpre, operand);
  if (saved.needs_weight || saved.needs_bias || saved.needs_scale) {
    const int64_t rows = rows_of(dpre.shape());
    const bool takes_bias = saved.needs_bias || (saved.needs_scale && saved.bias.defined());
    gradients[1] = like(saved.weight);
    if (takes_bias) gradients[2] = like(saved.weight, {dpre.size(-1)});
    backend.linear_backward_weight({operand.view_as({rows, dpre.size(-1)}), saved.x.view_as({rows, saved.x.size(-1)}),
                                    gradients[1], takes_bias ? View(gradients[2]) : View(), saved.precision});
    if (saved.scale.defined()) share_with_scale(saved, gradients);
  }
  return gradients;
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const LinearOptions& options) {
  const Precision precision = current_precision();
  Backend& backend = enter("linear", {&x, &weight, &bias, &options.residual, &options.scale},
                           backend_of(x.device()).stored_dtype(precision));
  const Shape result = x.rank() < 1 || weight.rank() < 1 ? Shape{} : x.shape().with(-1, weight.size(0));
  check_shapes(x, weight, bias, options, result);
  const int64_t rows = rows_of(x.shape());
  const bool records = autograd::needs_gradient({&x, &weight, &bias, &options.residual, &options.scale});
  if (!records && options.scale.defined()) {
    if (const Scaled* known = scaled(weight, bias, options.scale)) {
      LinearOptions rest = options;
      rest.scale = {};
      return linear(x, known->weight, known->bias, rest);
    }
  }
  const bool keeps_pre = records && options.activation != Activation::none;

  Tensor y = Tensor::empty(result, dtype_for(options.readers, x), x.device());
  Tensor pre = keeps_pre ? like(y) : Tensor();
  const auto flat = [&](Tensor& tensor) { return View(tensor.mutable_data(), {rows, result[-1]}, tensor.dtype()); };
  const auto weight_form = packed(weight, WeightUse::forward, precision, rows);
  backend.linear({.x = x.view_as({rows, x.size(-1)}),
                  .weight = weight,
                  .packed = weight_form.get(),
                  .bias = optional_view(bias),
                  .activation = options.activation,
                  .scale = optional_view(options.scale),
                  .residual = optional_view(options.residual),
                  .y = flat(y),
                  .pre_activation = keeps_pre ? flat(pre) : View(),
                  .precision = precision});
  if (!records) return y;
  const SavedLinear saved{x.detach(),
                          weight.detach(),
                          options.scale.defined() && bias.defined() ? bias.detach() : Tensor(),
                          pre,
                          options.scale.defined() ? options.scale.detach() : Tensor(),
                          options.activation,
                          precision,
                          x.requires_grad(),
                          weight.requires_grad(),
                          bias.requires_grad(),
                          options.scale.requires_grad()};
  return autograd::record("linear", y, {x, weight, bias, options.residual, options.scale},
                          [saved](const Tensor& dy) { return linear_gradients(saved, dy); });
}

}  // namespace astroclip::ops
