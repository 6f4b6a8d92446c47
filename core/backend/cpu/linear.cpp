#include <algorithm>

#include "backend/cpu/kernel.h"
#include "backend/cpu/onednn_product.h"
#include "backend/cpu/operand.h"
#include "backend/cpu/product_amx.h"

namespace astroclip::cpu {

namespace {

using onednn::ProductExtras;
using onednn::ProductSpec;
using onednn::Sum;

/// Whether products multiply tiles (product_amx.h) and leave oneDNN aside.
bool by_tiles(Precision precision) { return precision == Precision::bf16 && onednn::has_amx(); }

struct TiledWeight final : Prepared {
  TiledWeight(ConstView weight, WeightUse use) : operand(weight, use == WeightUse::backward_input, amx::Side::right) {}
  amx::TiledOperand operand;
};

/// Runs a product by tiles with a weight, packed or not.
void run_by_tiles(ConstView a, ConstView weight, WeightUse use, const Prepared* packed, const LinearArguments& last) {
  if (packed == nullptr) {
    const TiledWeight now(weight, use);
    return run_by_tiles(a, weight, use, &now, last);
  }
  amx::product({a, false, amx::Side::left}, static_cast<const TiledWeight*>(packed)->operand, last);
}

/// A weight in the layout that oneDNN chose for it.
struct PackedWeight final : Prepared {
  PackedWeight(int64_t bytes, int number, DType type) : block(bytes), layout(number), dtype(type) {}
  Scratch block;
  int layout;
  DType dtype;
};

void run(const ProductSpec& spec, const void* a, const void* b, void* c, const ProductExtras& extras = {}) {
  const auto product = onednn::product_of(spec);
  const Scratch scratch(product->scratch_bytes());
  product->run(a, b, c, extras, scratch.data());
}

/// The product that a weight [out, in] enters, for `rows` rows.
ProductSpec weight_product(WeightUse use, int64_t rows, int64_t in, int64_t out, Precision precision) {
  ProductSpec spec;
  spec.m = rows;
  spec.k = use == WeightUse::forward ? in : out;
  spec.n = use == WeightUse::forward ? out : in;
  spec.a_pitch = spec.k;
  spec.b_pitch = in;
  spec.c_pitch = spec.n;
  spec.transpose_b = use == WeightUse::forward;
  spec.operand = operand_of(precision);
  return spec;
}

/// Runs a product with a weight, packed or not.
void run_with_weight(ProductSpec spec, ConstView a, ConstView weight, const Prepared* packed, View c,
                     const ProductExtras& extras = {}) {
  const Operand left(a, spec.operand);
  const auto* prepared = static_cast<const PackedWeight*>(packed);
  if (prepared != nullptr && prepared->dtype == spec.operand) {
    spec.layout = prepared->layout;
    spec.transpose_b = false;
    spec.b_pitch = 0;
    return run(spec, left.data(), prepared->block.data(), c.data, extras);
  }
  const Operand right(weight, spec.operand);
  run(spec, left.data(), right.data(), c.data, extras);
}

/// What `linear` gives for a product over no terms: zeros.
void linear_of_nothing(CpuBackend& backend, LinearArguments arguments, int64_t rows) {
  const int64_t out = arguments.weight.shape[0];
  const Tensor zero = Tensor::zeros({rows, 1}, DType::f32, Device::host()),
               weight = Tensor::zeros({out, 1}, DType::f32, Device::host());
  arguments.x = zero;
  arguments.weight = weight;
  arguments.packed = nullptr;
  backend.linear(arguments);
}

}  // namespace

void CpuBackend::matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c) {
  expect_f32(a, "matmul");
  expect_f32(b, "matmul");
  ProductSpec spec;
  spec.m = c.shape[-2];
  spec.n = c.shape[-1];
  spec.k = transpose_a ? a.shape[-2] : a.shape[-1];
  if (c.numel() == 0) return;
  if (spec.k == 0) return fill(c, 0.0);
  spec.batch = c.numel() / (spec.m * spec.n);
  spec.a_pitch = transpose_a ? spec.m : spec.k;
  spec.b_pitch = transpose_b ? spec.k : spec.n;
  spec.c_pitch = spec.n;
  spec.transpose_a = transpose_a;
  spec.transpose_b = transpose_b;
  spec.alpha = static_cast<float>(alpha);
  run(spec, a.data, b.data, c.data);
}

std::shared_ptr<Prepared> CpuBackend::prepare(ConstView weight, WeightUse use, Precision precision, int64_t rows) {
  constexpr int64_t few_rows = 16;  // under this, packing costs more than it saves
  const int64_t out = weight.shape[0], in = weight.shape[1];
  if (rows < few_rows || weight.numel() == 0 || weight.dtype != DType::f32) return nullptr;
  if (by_tiles(precision)) return std::make_shared<TiledWeight>(weight, use);
  const ProductSpec spec = weight_product(use, rows, in, out, precision);
  const auto packer = onednn::packer_of(spec, DType::f32);
  auto packed = std::make_shared<PackedWeight>(packer->bytes(), packer->layout(), spec.operand);
  const Scratch scratch(packer->scratch_bytes());
  packer->run(weight.data, packed->block.data(), scratch.data());
  return packed;
}

void CpuBackend::linear(const LinearArguments& arguments) {
  const int64_t out = arguments.weight.shape[0], in = arguments.weight.shape[1];
  const int64_t rows = out == 0 ? 0 : arguments.y.numel() / out;
  if (rows == 0) return;
  if (in == 0) return linear_of_nothing(*this, arguments, rows);
  if (by_tiles(arguments.precision)) {
    return run_by_tiles(arguments.x, arguments.weight, WeightUse::forward, arguments.packed, arguments);
  }
  ProductSpec spec = weight_product(WeightUse::forward, rows, in, out, arguments.precision);
  spec.bias = static_cast<bool>(arguments.bias);
  ProductExtras extras{arguments.bias.as<float>(), arguments.scale.as<float>(), arguments.residual.as<float>()};
  // ReLU follows the product as a pass of its own, because that of oneDNN makes 0 of a NaN; so does what needs the
  // product by itself.
  if (arguments.pre_activation || arguments.activation == Activation::relu) {
    const float* residual = extras.residual;
    const bool overlaps = !arguments.pre_activation && residual != nullptr && residual == arguments.y.data;
    const Scratch apart(overlaps ? arguments.y.numel() * size_of(DType::f32) : 0);
    View product = arguments.pre_activation ? arguments.pre_activation : arguments.y;
    if (overlaps) product.data = apart.data();
    extras.residual = nullptr;
    run_with_weight(spec, arguments.x, arguments.weight, arguments.packed, product, extras);
    return activate(arguments.activation, product.as<float>(), residual, arguments.y.as<float>(), rows * out);
  }
  spec.gelu = arguments.activation == Activation::gelu;
  spec.scale = extras.scale != nullptr;
  if (extras.residual != nullptr) spec.sum = extras.residual == arguments.y.data ? Sum::itself : Sum::residual;
  run_with_weight(spec, arguments.x, arguments.weight, arguments.packed, arguments.y, extras);
}

void CpuBackend::linear_backward_input(const LinearBackwardInputArguments& arguments) {
  const int64_t out = arguments.weight.shape[0], in = arguments.weight.shape[1];
  const int64_t rows = in == 0 ? 0 : arguments.dx.numel() / in;
  if (rows == 0) return;
  if (out == 0) return fill(arguments.dx, 0.0);
  const auto run_from = [&](ConstView dy) {
    if (by_tiles(arguments.precision)) {
      LinearArguments last;
      last.y = arguments.dx;
      return run_by_tiles(dy, arguments.weight, WeightUse::backward_input, arguments.packed, last);
    }
    const ProductSpec spec = weight_product(WeightUse::backward_input, rows, in, out, arguments.precision);
    run_with_weight(spec, dy, arguments.weight, arguments.packed, arguments.dx);
  };
  if (!arguments.scale) return run_from(arguments.dy);
  const Scratch block(rows * out * size_of(DType::f32));
  const View scaled(block.data(), arguments.dy.shape, DType::f32);
  binary(BinaryOp::multiply, arguments.dy, arguments.scale, scaled);
  run_from(scaled);
}

void CpuBackend::linear_backward_weight(const LinearBackwardWeightArguments& arguments) {
  const int64_t out = arguments.dweight.shape[0], in = arguments.dweight.shape[1];
  const int64_t rows = out == 0 ? 0 : arguments.dy.numel() / out;
  if (arguments.dbias) {
    auto* dbias = arguments.dbias.as<float>();
    if (arguments.dy.dtype == DType::bf16) {
      sum_columns(arguments.dy.as<BFloat16>(), rows, out, dbias);
    } else {
      sum_columns(arguments.dy.as<float>(), rows, out, dbias);
    }
  }
  if (rows == 0) return fill(arguments.dweight, 0.0);
  if (in == 0 || out == 0) return;
  if (by_tiles(arguments.precision)) {
    LinearArguments last;
    last.y = arguments.dweight;
    return amx::product({arguments.dy, true, amx::Side::left}, {arguments.x, true, amx::Side::right}, last);
  }
  ProductSpec spec;
  spec.m = out;
  spec.n = in;
  spec.k = rows;
  spec.a_pitch = out;
  spec.b_pitch = in;
  spec.c_pitch = in;
  spec.transpose_a = true;
  spec.operand = operand_of(arguments.precision);
  const Operand dy(arguments.dy, spec.operand), x(arguments.x, spec.operand);
  run(spec, dy.data(), x.data(), arguments.dweight.data);
}

}  // namespace astroclip::cpu
