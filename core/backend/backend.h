#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

/// The whole contract between ops and devices: every kernel, as a pure virtual function on raw views.
/// A backend that lacks a kernel does not compile; a dtype that a backend lacks is an error when the op is
/// entered. Kernels know nothing of gradients' history: each backward rule is a kernel of its own.
namespace astroclip {

/// A contiguous read-only array. Matching extents are the op's business; kernels trust them.
struct ConstView {
  const void* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;

  ConstView() = default;
  ConstView(const void* pointer, const Shape& extents, DType type) : data(pointer), shape(extents), dtype(type) {}
  ConstView(const Tensor& tensor)  // NOLINT(google-explicit-constructor): a tensor is a view
      : data(tensor.data()), shape(tensor.shape()), dtype(tensor.dtype()) {}

  explicit operator bool() const { return data != nullptr; }
  int64_t numel() const { return shape.numel(); }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

/// A contiguous writable array.
struct View {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;

  View() = default;
  View(void* pointer, const Shape& extents, DType type) : data(pointer), shape(extents), dtype(type) {}
  View(Tensor& tensor)  // NOLINT(google-explicit-constructor)
      : data(tensor.mutable_data()), shape(tensor.shape()), dtype(tensor.dtype()) {}

  explicit operator bool() const { return data != nullptr; }
  operator ConstView() const { return {data, shape, dtype}; }  // NOLINT(google-explicit-constructor)
  int64_t numel() const { return shape.numel(); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

/// Attention operands inside a larger product: element (b, t, h, i) lies at
/// data[b * batch_stride + t * token_stride + h * width + i], strides in elements.
struct HeadsView {
  const void* data = nullptr;
  int64_t tokens = 0;
  int64_t batch_stride = 0;
  int64_t token_stride = 0;
};
struct MutableHeadsView {
  void* data = nullptr;
  int64_t tokens = 0;
  int64_t batch_stride = 0;
  int64_t token_stride = 0;
};

enum class UnaryOp {
  negate,
  exp,
  log,
  sqrt,
  square,
  abs,
  reciprocal,
  tanh,
  sigmoid,
  log_sigmoid,
  relu,
  gelu,
  /// 1 where x differs from 0, else 0; no gradient
  nonzero
};
enum class BinaryOp { add, subtract, multiply, divide, maximum };
enum class ReduceOp { sum, maximum };
enum class Activation { none, gelu, relu };
/// Operand precision of products. bf16 rounds both operands and accumulates in float32.
enum class Precision { f32, bf16 };
/// How a weight [out, in] enters a product: y = x Wᵀ, or dx = dy W.
enum class WeightUse { forward = 0, backward_input = 1 };

/// A weight in the backend's own packed form.
class Prepared {
 public:
  virtual ~Prepared() = default;
};

/// y = scale · activation(x Wᵀ + bias) + residual. x [rows, in], W [out, in], bias [out], residual and y [rows, out].
/// x may have the stored dtype (Backend::stored_dtype), as may y where there is neither scale nor residual.
struct LinearArguments {
  ConstView x;
  ConstView weight;
  const Prepared* packed = nullptr;  ///< of `weight`, for WeightUse::forward; optional
  ConstView bias;                    ///< optional
  Activation activation = Activation::none;
  ConstView scale;     ///< optional, [out]; without an activation
  ConstView residual;  ///< optional
  View y;
  View pre_activation;  ///< optional, as y: x Wᵀ + bias, which the gradient of an activation needs
  Precision precision = Precision::f32;
};

/// dx = (scale · dy) W. dy and dx may have the stored dtype; dy with a scale has not.
struct LinearBackwardInputArguments {
  ConstView dy;
  ConstView weight;
  const Prepared* packed = nullptr;  ///< for WeightUse::backward_input; optional
  View dx;
  Precision precision = Precision::f32;
  ConstView scale = {};      ///< optional, [out]
  ConstView stored_dy = {};  ///< with a scale: dy in the stored dtype, which a backend that scales W reads
};

/// dW = dyᵀ x and dbias = column sums of dy. dy and x may have the stored dtype.
struct LinearBackwardWeightArguments {
  ConstView dy;
  ConstView x;
  View dweight;
  View dbias;  ///< optional
  Precision precision = Precision::f32;
};

/// y = softmax(scale · q kᵀ) v for each (batch, head). q has its own number of tokens; k and v share theirs.
struct AttentionArguments {
  DType dtype = DType::f32;  ///< of q, k, v and y; may be the stored dtype
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t width = 0;  ///< of one head
  double scale = 1.0;
  HeadsView q, k, v;
  MutableHeadsView y;
  View log_sum_exp;  ///< optional, [batch, heads, q tokens]: log Σ exp of the scaled scores; for the gradient
  Precision precision = Precision::f32;
};

struct AttentionBackwardArguments {
  DType dtype = DType::f32;  ///< of all but log_sum_exp; may be the stored dtype
  int64_t batch = 0;
  int64_t heads = 0;
  int64_t width = 0;
  double scale = 1.0;
  HeadsView q, k, v, y, dy;
  ConstView log_sum_exp;
  MutableHeadsView dq, dk, dv;
  Precision precision = Precision::f32;
};

/// Learned queries, the same for every object, attend to its tokens (Lee et al. 2019, "Set transformer", without
/// keys and values): weights[b, h] = softmax over t of queries[h] · tokens[b, t], y[h, b] = Σ_t weights[b, h, t]
/// tokens[b, t].
struct AttentionPoolArguments {
  ConstView tokens;   ///< [batch, tokens, width]; may have the pooled dtype (Backend::pooled_dtype)
  ConstView queries;  ///< [heads, width]
  View y;             ///< [heads, batch, width]
  View weights;       ///< optional, [batch, heads, tokens]; for the gradient
};

struct AttentionPoolBackwardArguments {
  ConstView dy, tokens, queries, y, weights;
  View dqueries;  ///< optional
  View dtokens;   ///< optional, in the dtype of the tokens
};

/// Windows on the middle axes of x [batch, height, width, channels], `stride` apart; the first begins `padding`
/// positions before the border. Each pair is (height, width).
struct Windows {
  std::array<int64_t, 2> size = {1, 1}, stride = {1, 1}, padding = {0, 0};
  /// How many there are along an axis (0 or 1) of `extent` positions.
  int64_t count(size_t axis, int64_t extent) const {
    return (extent + 2 * padding[axis] - size[axis]) / stride[axis] + 1;
  }
  bool operator==(const Windows&) const = default;
};

/// y = relu(x ∗ W + bias + residual), with the cross-correlation of torch.nn.Conv2d: x [batch, height, width,
/// in], weight [out, in, window height, window width], bias [out], residual and y [batch, windows along height, windows
/// along width, out]. What lies beyond the border is 0. x, residual and y may each have the stored dtype.
struct ConvolutionArguments {
  ConstView x;
  ConstView weight;
  ConstView bias;  ///< optional
  Windows windows;
  ConstView residual;  ///< optional
  bool relu = false;   ///< the activation; without it there is none
  View y;
  Precision precision = Precision::f32;
};

struct ConvolutionBackwardInputArguments {
  ConstView dy;
  ConstView weight;
  Windows windows;
  View dx;
  Precision precision = Precision::f32;
};

struct ConvolutionBackwardWeightArguments {
  ConstView dy;
  ConstView x;
  Windows windows;
  View dweight;
  View dbias;  ///< optional
  Precision precision = Precision::f32;
};

/// y = (x − mean)/√(variance + epsilon) · weight + bias, with mean and variance over the rows of each group and channel
/// of x [groups, rows, channels]: batch norm is one group, instance norm a group for each sample.
struct BatchNormArguments {
  ConstView x;
  ConstView weight, bias;  ///< [channels]; both or none
  double epsilon = 0.0;
  View y;
  View mean, variance;  ///< [groups, channels], the variance divided by `rows`
};

struct BatchNormBackwardArguments {
  ConstView dy, x, weight;  ///< the weight is optional
  ConstView mean, variance;
  double epsilon = 0.0;
  View dx;
  View dweight, dbias;  ///< with the weight
};

/// y = (x − mean)/√(variance + epsilon) · weight + bias over the last axis of x [rows, width].
struct LayerNormArguments {
  ConstView x, weight, bias;  ///< weight and bias [width]
  double epsilon = 0.0;
  View y;                        ///< may have the stored dtype
  View mean, inverse_deviation;  ///< optional, [rows]; for the gradient
};

struct LayerNormBackwardArguments {
  ConstView dy, x, weight;  ///< dy may have the stored dtype
  ConstView mean, inverse_deviation;
  View dx, dweight, dbias;
  ConstView gathered = {};  ///< optional, as dx: is added to it; may be dx
  View rounded = {};        ///< optional: dx once more, in the stored dtype
};

/// sum = x, with factor · scale · y[i] added to row index[i]. x and sum [rows, ...], y [count, ...].
struct AddRowsArguments {
  ConstView x, y;
  ConstView index;  ///< i64 [count], in range; optional: y has all rows of x in their order
  ConstView scale;  ///< along the last axis; optional
  double factor = 1.0;
  View sum;
};

struct AddRowsBackwardArguments {
  ConstView dsum, y, index, scale;
  double factor = 1.0;
  View dy;
  View dscale;  ///< with the scale
};

/// loss[i] = −Σⱼ Σₖ targets[against[i, j], k] · log softmax(logits[i]/temperature)ₖ. Logits [rows, classes], targets
/// [any, classes], which may have any sum.
struct SoftCrossEntropyArguments {
  ConstView logits, targets;
  ConstView against;  ///< i64 [rows, most]: which targets; one below 0 is none
  double temperature = 1.0;
  View loss;         ///< [rows]
  View log_sum_exp;  ///< [rows], of logits/temperature; for the gradient
  View mass;         ///< [rows], the sum of a row's targets; for the gradient
};

/// dlogits[i] = (mass · softmax(logits[i]/temperature) − Σⱼ targets[against[i, j]]) · dloss[i]/temperature.
struct SoftCrossEntropyBackwardArguments {
  ConstView dloss, logits, targets, against;
  double temperature = 1.0;
  ConstView log_sum_exp, mass;
  View dlogits;
};

/// Of y = length · x / max(‖x‖₂, epsilon) for rows of x [rows, width]; length and norm have one element for each.
struct WeightNormBackwardArguments {
  ConstView dy, x, length, norm;
  double epsilon = 0.0;
  View dx, dlength;
};

/// One parameter of a multi-tensor optimiser step. The moments have the parameter's shape and dtype.
struct AdamwSegment {
  View parameter;
  ConstView gradient;
  View first_moment;
  View second_moment;
  double learning_rate = 0.0;
  double weight_decay = 0.0;
  int64_t step = 1;  ///< which of the parameter's own updates this is, from 1, for the bias correction
};

/// One AdamW step (Loshchilov & Hutter 2019, decoupled decay, as PyTorch's): p ← p(1 − lr·wd), then
/// p ← p − lr · m̂ / (√v̂ + eps).
struct AdamwStep {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  ConstView clip;  ///< [3] f64 from gradient_clip: {norm, factor, finite}
};

/// A recorded point in a device's queue of work.
class Event {
 public:
  virtual ~Event() = default;
  virtual void wait() = 0;
};

/// Work that a device does again as it was captured, on the same memory.
class Replay {
 public:
  virtual ~Replay() = default;
  /// Queues the work.
  virtual void run() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  /// The dtype of parameters and activations on this backend.
  virtual DType compute_dtype() const = 0;
  virtual bool supports(Precision precision) const = 0;
  /// The dtype of activations that only products of that precision read, and of their gradients. Where it is not the
  /// compute dtype, products round such operands to it anyway, and the kernels that say so read and write it.
  virtual DType stored_dtype(Precision) const { return compute_dtype(); }
  /// The dtype of tokens that only attention_pool reads, and of their gradients.
  virtual DType pooled_dtype(Precision) const { return compute_dtype(); }

  // Device queue. Host backends run kernels at the call.
  virtual void synchronize() = 0;
  virtual std::unique_ptr<Event> record_event() = 0;
  /// Host memory that copies to the device without staging.
  virtual void* allocate_pinned(int64_t bytes) = 0;
  virtual void release_pinned(void* block) = 0;
  virtual void copy_async(Tensor& to, const void* pinned) = 0;
  /// Copies to pinned memory; an event recorded afterwards says when it is there.
  virtual void copy_async(void* pinned, const Tensor& from) = 0;
  /// What `work` queues, to be done again without the host's part in it. `work` is called twice, to do it and to
  /// capture it; both calls take the same memory, so each begins by dropping what the one before left. What it reads
  /// and what the second call leaves must live as long as the replay, which alone has the memory that the calls
  /// release. Null where the device has no such thing, where `work` throws Error, and where its second call does what
  /// cannot be captured: take memory from the system, copy from or to the host, wait, leave a prepared weight. What it
  /// leaves is then without meaning.
  virtual std::unique_ptr<Replay> capture(const std::function<void()>& /*work*/) { return nullptr; }

  // Elementwise.
  virtual void fill(View y, double value) = 0;
  virtual void cast(ConstView x, View y) = 0;
  virtual void unary(UnaryOp op, ConstView x, View y) = 0;
  /// dx from x, y = op(x) and dy; dx may be dy. For GELU all may have the stored dtype.
  virtual void unary_backward(UnaryOp op, ConstView x, ConstView y, ConstView dy, View dx) = 0;
  /// y = op(a, b) with NumPy broadcasting; y's shape is the broadcast shape. y may be a or b of that shape.
  virtual void binary(BinaryOp op, ConstView a, ConstView b, View y) = 0;
  /// y = alpha·x + beta·y + gamma.
  virtual void scale_add(double alpha, ConstView x, double beta, double gamma, View y) = 0;
  /// y = x·mask/(1 − p), NaN included; mask is drawn from Philox with `seed` keyed and the element's index counted.
  virtual void dropout(ConstView x, double p, uint64_t seed, View y) = 0;

  // Layout.
  /// y's axis i is x's axis order[i].
  virtual void permute(ConstView x, std::span<const int> order, View y) = 0;
  /// For each of `rows`: copies (or adds) `width` elements from x + row·x_pitch to y + row·y_pitch.
  virtual void copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows,
                           DType dtype, bool accumulate) = 0;
  /// y[i, :] = x[index[i], :]; index is i64 in range.
  virtual void gather_rows(ConstView x, ConstView index, View y) = 0;
  /// dx[index[i], :] += dy[i, :], in the order of i. Both may have the stored dtype, to which each addition is rounded,
  /// or their sum.
  virtual void scatter_add_rows(ConstView dy, ConstView index, View dx) = 0;
  virtual void add_rows(const AddRowsArguments& arguments) = 0;
  virtual void add_rows_backward(const AddRowsBackwardArguments& arguments) = 0;
  /// y has x's rank with extent 1 on every reduced axis. Partitions are fixed, results reproducible.
  virtual void reduce(ReduceOp op, ConstView x, View y) = 0;

  // Products.
  /// c = alpha · op(a) op(b) for the last two axes; leading axes are equal batches.
  virtual void matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c) = 0;
  /// The packed form of a weight for products of about `rows` rows; null when packing does not pay.
  virtual std::shared_ptr<Prepared> prepare(ConstView weight, WeightUse use, Precision precision, int64_t rows) = 0;
  /// Whether what prepare returns for one use serves the other, too.
  virtual bool prepares_for_both_uses() const { return false; }
  virtual void linear(const LinearArguments& arguments) = 0;
  virtual void linear_backward_input(const LinearBackwardInputArguments& arguments) = 0;
  virtual void linear_backward_weight(const LinearBackwardWeightArguments& arguments) = 0;

  // Windows.
  virtual void convolution(const ConvolutionArguments& arguments) = 0;
  virtual void convolution_backward_input(const ConvolutionBackwardInputArguments& arguments) = 0;
  virtual void convolution_backward_weight(const ConvolutionBackwardWeightArguments& arguments) = 0;
  /// y [batch, windows, windows, channels] = largest of each window; `index`, i64 of y's shape, says at which
  /// row · width + column of its sample and channel (the first of equals). NaN wins. Without an index, x and y may have
  /// the stored dtype.
  virtual void max_pool(ConstView x, const Windows& windows, View y, View index) = 0;
  /// dx at `index` += dy, the rest 0.
  virtual void max_pool_backward(ConstView dy, ConstView index, View dx) = 0;

  // Fused kernels.
  virtual void attention(const AttentionArguments& arguments) = 0;
  virtual void attention_backward(const AttentionBackwardArguments& arguments) = 0;
  virtual void attention_pool(const AttentionPoolArguments& arguments) = 0;
  virtual void attention_pool_backward(const AttentionPoolBackwardArguments& arguments) = 0;
  virtual void layer_norm(const LayerNormArguments& arguments) = 0;
  virtual void layer_norm_backward(const LayerNormBackwardArguments& arguments) = 0;
  virtual void batch_norm(const BatchNormArguments& arguments) = 0;
  virtual void batch_norm_backward(const BatchNormBackwardArguments& arguments) = 0;
  /// y = softmax(scale · (x − shift)) over the last axis of x [rows, width]; shift [width] is optional. y may be x.
  virtual void softmax(ConstView x, ConstView shift, double scale, View y) = 0;
  virtual void softmax_backward(ConstView dy, ConstView y, View dx) = 0;
  /// y [rows] = logΣexp over the last axis of x [rows, width].
  virtual void log_sum_exp(ConstView x, View y) = 0;
  /// loss [rows] = logΣexp(logits) − logits[target]; log_sum_exp [rows] is kept for the gradient.
  virtual void cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp) = 0;
  /// dlogits = (softmax(logits) − onehot(target)) · dloss.
  virtual void cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp, ConstView dloss,
                                      View dlogits) = 0;
  virtual void soft_cross_entropy(const SoftCrossEntropyArguments& arguments) = 0;
  virtual void soft_cross_entropy_backward(const SoftCrossEntropyBackwardArguments& arguments) = 0;
  /// y = x / max(‖x‖₂, epsilon) for rows of x [rows, width]; norm [rows] holds ‖x‖₂.
  virtual void normalize_rows(ConstView x, double epsilon, View y, View norm) = 0;
  virtual void normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx) = 0;
  /// y = length · x / max(‖x‖₂, epsilon) for rows of x [rows, width]; length and norm have one element for each.
  virtual void weight_norm(ConstView x, ConstView length, double epsilon, View y, View norm) = 0;
  virtual void weight_norm_backward(const WeightNormBackwardArguments& arguments) = 0;

  // Optimiser.
  /// state [3] f64 = {‖gradients‖₂, min(1, max_norm/(norm + 1e-6)), 1 if finite else 0}; max_norm ≤ 0: factor 1.
  virtual void gradient_clip(std::span<const ConstView> gradients, double max_norm, View state) = 0;
  /// All parameters in one call; gradients are multiplied by the clip factor; nothing changes unless finite.
  virtual void adamw(std::span<const AdamwSegment> segments, const AdamwStep& step) = 0;
  /// target ← target + (1 − decay) · (source − target), pairwise; shapes match. Equal values stay as they are.
  virtual void exponential_average(std::span<const View> targets, std::span<const ConstView> sources, double decay) = 0;
};

/// The backend of a device. Throws Error when it is not loaded.
Backend& backend_of(Device device);
/// Called once by each backend at load.
void register_backend(DeviceKind kind, std::shared_ptr<Backend> backend);
/// Whether a device could have that name: "auto", "cuda", "cuda:1", "cpu", "reference".
bool is_device_name(const std::string& name);
/// Names of the devices that can be used, the fastest first.
std::vector<std::string> device_names();
/// The device of that name, made ready: "cpu", "reference", "cuda" (the first card) or "cuda:1"; "auto" is the fastest.
/// Throws Error if there is none, or if it cannot be used.
Device device_named(const std::string& name);
/// Of a device in use, what results may depend on beside the program: card, driver, libraries. "" for the host.
std::string device_description(Device device);

}  // namespace astroclip
