#include <memory>
#include <optional>

#include "backend/cuda/capture.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/gelu_product.h"
#include "backend/cuda/product.h"
#include "backend/cuda/product_kernels.h"
#include "backend/cuda/scratch.h"

namespace astroclip::cuda {

namespace {

DType operand_of(Precision precision) { return precision == Precision::bf16 ? DType::bf16 : DType::f32; }

bool is_aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }

/// A matrix as products of a precision read it: float32 as it is; bf16 rounded, with rows of a multiple of 8 elements,
/// because cuBLASLt is several times slower for other widths. What is added is 0.
class Operand {
 public:
  enum class Rows { as_they_are, padded };

  /// `scale`, optional, multiplies row i by scale[i].
  Operand(ConstView x, int64_t rows, int64_t columns, Precision precision, Rows count = Rows::as_they_are,
          const float* scale = nullptr)
      : source_(x.data, {rows, columns}, x.dtype),
        scale_(scale),
        matrix_(x.data, {rows, columns}, operand_of(precision)) {
    if (precision == Precision::bf16) {
      constexpr int64_t unit = 8;
      const auto padded = [](int64_t extent) { return (extent + unit - 1) / unit * unit; };
      matrix_.shape = {count == Rows::padded ? padded(rows) : rows, padded(columns)};
    }
    const bool fits = x.dtype == matrix_.dtype && matrix_.shape == Shape{rows, columns} && scale == nullptr &&
                      (x.dtype == DType::f32 || is_aligned(x.data));
    if (fits) return;
    matrix_.data = copy_.emplace(matrix_.numel() * size_of(matrix_.dtype)).data();
    copy();
  }
  const ConstView& matrix() const { return matrix_; }
  /// Makes the rounded matrix, if there is one.
  void copy() const {
    if (copy_) copy_operand(source_, scale_, {copy_->data(), matrix_.shape, matrix_.dtype});
  }

 private:
  ConstView source_;
  const float* scale_;
  ConstView matrix_;
  std::optional<Scratch> copy_;
};

/// A weight [out, in] as both y = x Wᵀ and dx = dy W read it.
struct PreparedWeight final : Prepared {
  PreparedWeight(ConstView weight, Precision precision)
      : operand(weight, weight.shape[0], weight.shape[1], precision, Operand::Rows::padded) {}
  Operand operand;
};

/// The prepared form of a weight, or one made for a call. A scale belongs to the call.
class Weight {
 public:
  Weight(ConstView weight, const Prepared* packed, Precision precision, const float* scale = nullptr) {
    const auto* prepared = static_cast<const PreparedWeight*>(packed);
    if (prepared != nullptr && scale == nullptr && prepared->operand.matrix().dtype == operand_of(precision)) {
      matrix_ = prepared->operand.matrix();
    } else {
      made_.emplace(weight, weight.shape[0], weight.shape[1], precision, Operand::Rows::padded, scale);
      matrix_ = made_->matrix();
    }
  }
  const ConstView& matrix() const { return matrix_; }

 private:
  ConstView matrix_;
  std::optional<Operand> made_;
};

ProductSpec product_of(const ConstView& a, bool transpose_a, const ConstView& b, bool transpose_b) {
  ProductSpec spec;
  spec.m = a.shape[transpose_a ? 1 : 0];
  spec.k = a.shape[transpose_a ? 0 : 1];
  spec.n = b.shape[transpose_b ? 0 : 1];
  spec.transpose_a = transpose_a;
  spec.transpose_b = transpose_b;
  spec.operand = a.dtype;
  return spec;
}

/// Whether the library may write the product to y: it has the product's extents and is aligned where it must be.
bool writes(const ProductSpec& spec, const View& y) {
  return y.numel() == spec.m * spec.n && y.shape[-1] == spec.n && (spec.operand == DType::f32 || is_aligned(y.data));
}

/// The product in float32 scratch.
class Apart {
 public:
  Apart(ProductSpec spec, const ConstView& a, const ConstView& b) : memory_(spec.m * spec.n * size_of(DType::f32)) {
    spec.result = DType::f32;
    spec.bias = spec.relu = spec.adds = false;
    product(spec, {.a = a.data, .b = b.data, .y = memory_.data()});
    view_ = {memory_.data(), {spec.m, spec.n}, DType::f32};
  }
  const ConstView& view() const { return view_; }

 private:
  Scratch memory_;
  ConstView view_;
};

/// y = op(a) op(b), of which y may lack the rows and columns that padding added.
void product_into(const ConstView& a, bool transpose_a, const ConstView& b, bool transpose_b, View y) {
  ProductSpec spec = product_of(a, transpose_a, b, transpose_b);
  spec.result = y.dtype;
  if (writes(spec, y)) return product(spec, {.a = a.data, .b = b.data, .y = y.data});
  finish({.product = Apart(spec, a, b).view(), .y = y});
}

/// A bias as the end of a product reads it: of the result's dtype, scaled, aligned.
class Bias {
 public:
  Bias(ConstView bias, DType dtype, const float* scale) : data_(bias.data) {
    if (!bias || (bias.dtype == dtype && scale == nullptr && is_aligned(bias.data))) return;
    data_ = copy_.emplace(bias.numel() * size_of(dtype)).data();
    copy_operand({bias.data, {bias.numel(), 1}, bias.dtype}, scale, {copy_->data(), {bias.numel(), 1}, dtype});
  }
  const void* data() const { return data_; }

 private:
  std::optional<Scratch> copy_;
  const void* data_;
};

}  // namespace

std::shared_ptr<Prepared> CudaBackend::prepare(ConstView weight, WeightUse, Precision precision, int64_t) {
  if (precision == Precision::f32 || weight.numel() == 0) return nullptr;
  auto prepared = std::make_shared<PreparedWeight>(weight, precision);
  expect_to_end_in_capture(prepared, [made = prepared.get()] { made->operand.copy(); });
  return prepared;
}

void CudaBackend::linear(const LinearArguments& arguments) {
  const int64_t out = arguments.weight.shape[0], in = arguments.weight.shape[1];
  const int64_t rows = out == 0 ? 0 : arguments.y.numel() / out;
  if (rows == 0) return;
  const auto* scale = arguments.scale.as<float>();
  const auto* residual = arguments.residual.as<float>();
  const Activation activation = arguments.activation;
  const View y(arguments.y.data, {rows, out}, arguments.y.dtype), pre = arguments.pre_activation;
  FinishArguments rest{.activation = activation, .residual = residual, .pre_activation = pre, .y = y};
  const auto finish_from = [&](const ConstView& product, bool has_bias) {
    const Bias bias(has_bias ? ConstView() : arguments.bias, DType::f32, scale);
    rest.product = product;
    rest.bias = static_cast<const float*>(bias.data());
    finish(rest);
  };
  if (in == 0) return finish_from({}, false);

  // The scale is folded into weight and bias, which are small beside y.
  const Operand x(arguments.x, rows, in, arguments.precision);
  const Weight weight(arguments.weight, arguments.packed, arguments.precision, scale);
  const ConstView &a = x.matrix(), &b = weight.matrix();
  ProductSpec spec = product_of(a, false, b, true);
  // cuBLASLt has no GELU by erf, and adds a residual before ReLU: those have a pass of their own over y, or over the
  // pre-activation if it is kept. A bias that is not kept is added in that pass, in float32.
  const bool ends = !pre && (activation == Activation::none || (activation == Activation::relu && residual == nullptr));
  const View target = pre ? View(pre.data, {rows, out}, pre.dtype) : y;
  spec.result = target.dtype;
  spec.bias = arguments.bias && (ends || pre);
  spec.relu = ends && activation == Activation::relu;
  spec.adds = ends && residual != nullptr;
  if (activation == Activation::gelu && !pre && residual == nullptr && y.dtype == DType::bf16 && writes(spec, y)) {
    const Bias bias(arguments.bias, DType::f32, scale);
    if (try_gelu_product(a, b, static_cast<const float*>(bias.data()), y)) return;
  }
  const bool keeps_residual = spec.adds ? is_aligned(residual) : pre || residual == nullptr;  // y may be the residual
  if (keeps_residual && writes(spec, target)) {
    const Bias bias(spec.bias ? arguments.bias : ConstView(), target.dtype, scale);
    if (try_product(
            spec,
            {.a = a.data, .b = b.data, .y = target.data, .bias = bias.data(), .c = spec.adds ? residual : nullptr})) {
      if (ends) return;
      rest.pre_activation = View();
      return finish_from(target, spec.bias);
    }
  }
  finish_from(Apart(spec, a, b).view(), false);
}

void CudaBackend::linear_backward_input(const LinearBackwardInputArguments& arguments) {
  const int64_t out = arguments.weight.shape[0], in = arguments.weight.shape[1];
  const int64_t rows = in == 0 ? 0 : arguments.dx.numel() / in;
  if (rows == 0) return;
  if (out == 0) return fill(arguments.dx, 0.0);
  const Operand dy(arguments.stored_dy ? arguments.stored_dy : arguments.dy, rows, out, arguments.precision);
  const Weight weight(arguments.weight, arguments.packed, arguments.precision, arguments.scale.as<float>());
  product_into(dy.matrix(), false, weight.matrix(), false, View(arguments.dx.data, {rows, in}, arguments.dx.dtype));
}

void CudaBackend::linear_backward_weight(const LinearBackwardWeightArguments& arguments) {
  const int64_t out = arguments.dweight.shape[0], in = arguments.dweight.shape[1];
  const int64_t rows = out == 0 ? 0 : arguments.dy.numel() / out;
  if (arguments.dbias) {
    sum_columns(arguments.dy.data, arguments.dy.dtype, rows, out, arguments.dbias.as<float>());
  }
  if (in == 0 || out == 0) return;
  if (rows == 0) return fill(arguments.dweight, 0.0);
  const Operand dy(arguments.dy, rows, out, arguments.precision), x(arguments.x, rows, in, arguments.precision);
  product_into(dy.matrix(), true, x.matrix(), false, arguments.dweight);
}

}  // namespace astroclip::cuda
