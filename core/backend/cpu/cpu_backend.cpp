#include "backend/cpu/cpu_backend.h"

#include <fmt/format.h>

#include "backend/cpu/kernel.h"
#include "backend/cpu/onednn_product.h"
#include "base/error.h"

namespace astroclip::cpu {

bool CpuBackend::supports(Precision precision) const { return precision == Precision::f32 || onednn::has_bf16(); }

void expect_f32(const ConstView& view, std::string_view kernel) {
  if (view.dtype == DType::f32) return;
  throw Error(fmt::format("[cpu] {} takes f32, not {}", kernel, name_of(view.dtype)));
}

}  // namespace astroclip::cpu
