// With CUTLASS's headers this file starts a kernel of theirs by their own launcher; without them it has none, as in
// tests on the host.
#include "backend/cuda/gelu_product.h"

#if __has_include(<cutlass/cutlass.h>)

#include <cutlass/cutlass.h>
#include <cutlass/gemm/device/gemm_universal_adapter.h>

#include <cutlass/epilogue/collective/collective_builder.hpp>
#include <cutlass/epilogue/fusion/operations.hpp>
#include <cutlass/gemm/collective/collective_builder.hpp>
#include <cutlass/gemm/kernel/gemm_universal.hpp>
#include <limits>
#include <string>

#include "backend/cuda/card.h"
#include "backend/cuda/scratch.h"
#include "base/error.h"

namespace astroclip::cuda {

namespace {

using cutlass::bfloat16_t;
using cutlass::layout::ColumnMajor;
using cutlass::layout::RowMajor;

/// x · Φ(x). erf is Abramowitz & Stegun 7.1.26, within 1.5e-7: erff would keep the compiler from overlapping the
/// product's instructions.
template <class T>
struct Gelu {
  static const bool kIsHeavy = true;  // a name that CUTLASS reads
  CUTLASS_HOST_DEVICE
  T operator()(const T& x) const {
#ifdef __CUDA_ARCH__
    const float z = x * 0.70710678F, a = fabsf(z), t = __fdividef(1.0F, fmaf(0.3275911F, a, 1.0F));
    float p = fmaf(1.061405429F, t, -1.453152027F);
    p = fmaf(p, t, 1.421413741F);
    p = fmaf(p, t, -0.284496736F);
    p = fmaf(p, t, 0.254829592F);
    return 0.5F * x * (1.0F + copysignf(fmaf(-p * t, __expf(-a * a), 1.0F), z));
#else
    return x;
#endif
  }
};
template <class T, int N>
struct Gelu<cutlass::Array<T, N>> {
  static const bool kIsHeavy = true;
  CUTLASS_HOST_DEVICE
  cutlass::Array<T, N> operator()(const cutlass::Array<T, N>& x) const {
    cutlass::Array<T, N> y;
    CUTLASS_PRAGMA_UNROLL
    for (int i = 0; i < N; ++i) y[i] = Gelu<T>()(x[i]);
    return y;
  }
};

using End = cutlass::epilogue::fusion::LinCombPerColBiasEltAct<Gelu, bfloat16_t, float, float>;
using Tile = cute::Shape<cute::_128, cute::_256, cute::_64>;
using Cluster = cute::Shape<cute::_2, cute::_1, cute::_1>;
constexpr int alignment = 8;
using Epilogue = cutlass::epilogue::collective::CollectiveBuilder<
    cutlass::arch::Sm90, cutlass::arch::OpClassTensorOp, Tile, Cluster, cutlass::epilogue::collective::EpilogueTileAuto,
    float, float, bfloat16_t, RowMajor, alignment, bfloat16_t, RowMajor, alignment,
    cutlass::epilogue::TmaWarpSpecializedCooperative, End>::CollectiveOp;
using Mainloop = cutlass::gemm::collective::CollectiveBuilder<
    cutlass::arch::Sm90, cutlass::arch::OpClassTensorOp, bfloat16_t, RowMajor, alignment, bfloat16_t, ColumnMajor,
    alignment, float, Tile, Cluster,
    cutlass::gemm::collective::StageCountAutoCarveout<static_cast<int>(sizeof(Epilogue::SharedStorage))>,
    cutlass::gemm::KernelTmaWarpSpecializedCooperative>::CollectiveOp;
using Kernel = cutlass::gemm::kernel::GemmUniversal<cute::Shape<int, int, int, int>, Mainloop, Epilogue>;
using GeluProduct = cutlass::gemm::device::GemmUniversalAdapter<Kernel>;

void check(cutlass::Status status, const char* call) {
  if (status == cutlass::Status::kSuccess) return;
  throw Error(std::string("[cuda] CUTLASS's ") + call + ": " + cutlass::cutlassGetStatusString(status));
}

}  // namespace

bool try_gelu_product(const ConstView& x, const ConstView& weight, const float* bias, const View& y) {
  constexpr int64_t least_tiles = 64;  // fewer leave part of the card idle, where cuBLASLt has smaller tiles
  const int64_t rows = x.shape[0], in = x.shape[1], out = weight.shape[0];
  if ((rows + 127) / 128 * ((out + 255) / 256) < least_tiles || rows > std::numeric_limits<int>::max()) return false;
  const int m = static_cast<int>(rows), n = static_cast<int>(out), k = static_cast<int>(in);
  GeluProduct::Arguments arguments{cutlass::gemm::GemmUniversalMode::kGemm, {m, n, k, 1}, {}, {}};
  arguments.mainloop.ptr_A = x.as<bfloat16_t>();
  arguments.mainloop.ptr_B = weight.as<bfloat16_t>();
  arguments.mainloop.dA = {in, {}, 0};
  arguments.mainloop.dB = {in, {}, 0};
  arguments.epilogue.ptr_C = nullptr;
  arguments.epilogue.ptr_D = y.as<bfloat16_t>();
  arguments.epilogue.dC = {out, {}, 0};
  arguments.epilogue.dD = {out, {}, 0};
  arguments.epilogue.thread.alpha = 1.0F;
  arguments.epilogue.thread.beta = 0.0F;
  arguments.epilogue.thread.bias_ptr = bias;
  const Card& card = Card::get();
  static const int processors = cutlass::KernelHardwareInfo::query_device_multiprocessor_count(card.index());
  arguments.hw_info.device_id = card.index();
  arguments.hw_info.sm_count = processors;
  const Scratch workspace(static_cast<int64_t>(GeluProduct::get_workspace_size(arguments)));
  GeluProduct product;
  check(product.initialize(arguments, workspace.data(), card.stream()), "initialize");
  check(product.run(card.stream()), "run");
  return true;
}

}  // namespace astroclip::cuda

#else

namespace astroclip::cuda {

bool try_gelu_product(const ConstView&, const ConstView&, const float*, const View&) { return false; }

}  // namespace astroclip::cuda

#endif
