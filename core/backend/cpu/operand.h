#pragma once

#include "backend/cpu/kernel.h"
#include "backend/cpu/scratch.h"

namespace astroclip::cpu {

/// The dtype that a product's operands have.
inline DType operand_of(Precision precision) { return precision == Precision::bf16 ? DType::bf16 : DType::f32; }

/// A float32 operand of a product in the wanted dtype: itself, or rounded to bf16 into scratch.
class Operand {
 public:
  Operand(ConstView x, DType wanted)
      : rounded_(x.dtype == wanted ? 0 : x.numel() * size_of(wanted)), data_(x.dtype == wanted ? x.data : nullptr) {
    if (data_ != nullptr || x.numel() == 0) return;
    round_to_bf16(x.as<float>(), rounded_.as<BFloat16>(), x.numel());
    data_ = rounded_.data();
  }
  const void* data() const { return data_; }

 private:
  Scratch rounded_;
  const void* data_;
};

}  // namespace astroclip::cpu
