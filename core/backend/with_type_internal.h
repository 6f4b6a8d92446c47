#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace astroclip {

/// Calls body with a value of the C++ type behind `dtype`; Bf16 is the backend's own for bf16.
template <class Bf16, class Body>
void with_type(DType dtype, Body body) {
  switch (dtype) {
    case DType::f32:
      return body(float{});
    case DType::f64:
      return body(double{});
    case DType::bf16:
      return body(Bf16{});
    case DType::i32:
      return body(int32_t{});
    case DType::i64:
      return body(int64_t{});
    case DType::u8:
      return body(uint8_t{});
  }
}

}  // namespace astroclip
