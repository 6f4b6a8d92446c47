#include "backend/cpu/cpu_backend.h"

#include <fmt/format.h>

#include "backend/cpu/kernel.h"
#include "backend/cpu/onednn_product.h"
#include "base/error.h"

namespace astroclip::cpu {

bool CpuBackend::supports(Precision precision) const { return precision == Precision::f32 || onednn::has_bf16(); }

DType CpuBackend::stored_dtype(Precision precision) const {
  return precision == Precision::bf16 && onednn::has_amx() ? DType::bf16 : DType::f32;
}

void expect_stored(const ConstView& view, DType stored, std::string_view kernel) {
  if (view.dtype != stored) expect_f32(view, kernel);
}

void expect_f32(const ConstView& view, std::string_view kernel) {
  if (view.dtype == DType::f32) return;
  throw Error(fmt::format("[cpu] {} takes f32, not {}", kernel, name_of(view.dtype)));
}

}  // namespace astroclip::cpu
