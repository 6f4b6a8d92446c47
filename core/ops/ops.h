#pragma once

#include <array>
#include <functional>
#include <vector>

#include "backend/backend.h"
#include "backend/communicator.h"
#include "tensor/tensor.h"

/// Every differentiable op. Each checks its inputs' shapes, dtypes and devices (an Error begins with the op's
/// name in brackets and says what was expected and found), runs the backend's kernel and records its gradient.
/// One file each beside this header; operators.h has + - * /. Products take `Precision` from the ambient policy (see
/// PrecisionScope).
namespace astroclip::ops {

/// Sets the precision of products on this thread during the lifetime of the object.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  Precision previous_;
};
Precision current_precision();

// Elementwise, with NumPy broadcasting.
Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor divide(const Tensor& a, const Tensor& b);
/// Elementwise maximum; for equal values the gradient goes to `a`.
Tensor maximum(const Tensor& a, const Tensor& b);
/// scale · x + shift
Tensor affine(const Tensor& x, double scale, double shift = 0.0);
Tensor negate(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor square(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor log_sigmoid(const Tensor& x);
Tensor relu(const Tensor& x);
/// x · Φ(x) with the exact error function.
Tensor gelu(const Tensor& x);
/// 1 where x differs from 0, else 0; carries no gradient.
Tensor nonzero(const Tensor& x);
Tensor cast(const Tensor& x, DType dtype);
/// x · mask/(1 − p) with the mask keyed by `seed` (a word drawn from the run's Philox stream); identity for p = 0.
Tensor dropout(const Tensor& x, double p, uint64_t seed);

// Layout.
Tensor reshape(const Tensor& x, const Shape& shape);
/// The result's axis i is x's axis order[i].
Tensor permute(const Tensor& x, const std::vector<int>& order);
Tensor concat(const std::vector<Tensor>& parts, int axis);
/// `length` entries of `axis` from `begin`.
Tensor narrow(const Tensor& x, int axis, int64_t begin, int64_t length);
/// x repeated to `shape` by broadcasting.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// Rows of x [rows, ...] by i64 index [n]: [n, ...]. Throws Error if an index is out of range.
Tensor gather_rows(const Tensor& x, const Tensor& index);
/// How a branch is added to what it branches from.
struct AddRowsOptions {
  Tensor index;  ///< i64 [n]: row i of the branch is of this row; undefined: rows correspond
  Tensor scale;  ///< [last axis], multiplies the branch along it; undefined: none
  double factor = 1.0;
};
/// x [rows, ...] with factor · scale · y[i] of y [n, ...] added to row index[i]. Throws Error if an index is out of
/// range.
Tensor add_rows(const Tensor& x, const Tensor& y, const AddRowsOptions& options);

// Reductions. Axes may be negative; all axes when empty; `keep` leaves extents of 1.
Tensor sum(const Tensor& x, std::vector<int> axes = {}, bool keep = false);
Tensor mean(const Tensor& x, std::vector<int> axes = {}, bool keep = false);

// Products.
/// op(a) op(b) over the last two axes; leading axes are equal batches.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);
/// Who reads the result of an op. What only products (`linear`, `self_attention`, `convolution`, through `max_pool` or
/// as its residual, too) read may be kept in the dtype they multiply, as may its gradient (Backend::stored_dtype); what
/// only `attention_pool` reads, in the dtype that it takes (Backend::pooled_dtype).
enum class Readers { any, products, pooling };
struct LinearOptions {
  Activation activation = Activation::none;
  Tensor residual = {};            ///< added last; the output's shape
  Tensor scale = {};               ///< [out]: multiplies the product; without an activation
  Readers readers = Readers::any;  ///< others than any: without scale, residual and ReLU
};
/// activation(x Wᵀ + bias), scale · (x Wᵀ + bias), + residual; x [..., in], weight [out, in], bias [out] or undefined.
/// The packed form of the weight is cached in its storage and remade when its version changes.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const LinearOptions& options = {});

// Windows, on the two middle axes of x [batch, height, width, channels]; an axis of length 1 serves sequences.
struct ConvolutionOptions {
  std::array<int64_t, 2> stride = {1, 1}, padding = {0, 0};  ///< (height, width)
  bool relu = false;                                         ///< applied last
  Tensor residual = {};                                      ///< added before relu; has the output's shape
  Readers readers = Readers::any;                            ///< products: has no effect where a gradient is recorded
};
/// relu(x ∗ W + bias + residual), with the cross-correlation of torch.nn.Conv2d: weight [out, in, window height,
/// window width], bias [out] or undefined; gives [batch, windows, windows, out].
Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionOptions& options = {});
/// Maximum of each window and channel; for equal values the gradient goes to the first.
Tensor max_pool(const Tensor& x, const Windows& windows);

// Fused.
/// Multi-head self-attention from one product: qkv [B, T, 3·D] laid out (q | k | v), each D = heads · width, with
/// scale 1/√width; gives [B, T, D].
Tensor self_attention(const Tensor& qkv, int64_t heads);
/// q [B, T, D], k and v [B, S, D]; gives [B, T, D].
Tensor cross_attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads);
/// Learned queries [heads, D] attend to the tokens [B, T, D] of each object, which are keys and values alike:
/// Σ_t softmax_t(query · token_t) token_t, [heads, B, D].
Tensor attention_pool(const Tensor& tokens, const Tensor& queries);
/// Layer norm over the last axis.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon,
                  Readers readers = Readers::any);
/// Mean and variance (divided by the number of rows) of each group of a batch, [groups, channels].
struct BatchMoments {
  Tensor mean, variance;
};
/// (x − mean)/√(variance + epsilon) · weight + bias with each channel's mean and variance over all axes of x
/// [..., channels] but the last (Ioffe & Szegedy 2015), in each of `groups` equal parts of the first axis by itself;
/// `moments` receives them.
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon,
                  BatchMoments* moments = nullptr, int64_t groups = 1);
/// The same for each sample separately, x [batch, ..., channels], without weight and bias (Ulyanov et al. 2016).
Tensor instance_norm(const Tensor& x, double epsilon);
Tensor softmax(const Tensor& x);
/// logΣexp(x) over the last axis, which is dropped.
Tensor log_sum_exp(const Tensor& x);
/// Per row: logΣexp(logits) − logits[target]; logits [rows, classes], targets i64 [rows]; gives [rows].
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);
/// Per row i of logits [rows, classes]: −Σⱼ Σₖ targets[against[i, j], k] · log softmax(logits[i]/temperature)ₖ, with
/// targets [any, classes], whose rows may have any sum, and i64 indices `against` [rows, most], of which those below 0
/// are none; gives [rows]. Targets get no gradient. Throws Error if an index is out of range.
Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets, const Tensor& against, double temperature);
/// x / max(‖x‖₂, epsilon) over the last axis.
Tensor normalize_rows(const Tensor& x, double epsilon);
/// length · x / max(‖x‖₂, epsilon) of rows x [rows, width], with length [rows, 1] (Salimans & Kingma 2016).
Tensor weight_norm(const Tensor& x, const Tensor& length, double epsilon);

// Memory.
/// function(), of which nothing is kept for the backward pass but what the function itself holds: the backward pass
/// calls it again, so that memory for one call is taken at a time (Chen et al. 2016, "Training deep nets with sublinear
/// memory cost"). Result and gradients are the same bit for bit if it computes the same again and changes nothing
/// else; nn::Module::recomputed repeats random draws. Throws Error in the backward pass when the second result has
/// another shape.
Tensor recompute(std::function<Tensor()> function);

/// Rows of all processes in the order of ranks; the gradient sums those of every process for this one's rows.
Tensor all_gather(const Tensor& x, Communicator& communicator);

}  // namespace astroclip::ops
