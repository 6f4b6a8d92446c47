#pragma once

#include <fmt/format.h>

#include <array>
#include <optional>

#include "backend/backend.h"
#include "base/error.h"
#include "ops/ops.h"
#include "tensor/tensor.h"

/// Checks that every op starts with.
namespace astroclip::ops {

template <class... Arguments>
[[noreturn]] void refuse(const char* op, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  throw Error(fmt::format("[{}] {}", op, fmt::format(text, std::forward<Arguments>(arguments)...)));
}

/// Requires all defined operands to have one device and the dtype that its backend computes in; the first `count` may
/// have the dtype `stored` instead.
inline Backend& enter(const char* op, std::initializer_list<const Tensor*> operands,
                      std::optional<DType> stored = std::nullopt, int count = 1) {
  const Tensor& first = **operands.begin();
  Backend& backend = backend_of(first.device());
  for (const Tensor* operand : operands) {
    const bool may_be_stored = count-- > 0;
    if (!operand->defined()) continue;
    if (operand->device() != first.device()) {
      refuse(op, "operands must be on one device, found {} and {}", first.device().str(), operand->device().str());
    }
    if (operand->dtype() != backend.compute_dtype() && !(may_be_stored && operand->dtype() == stored)) {
      refuse(op, "backend '{}' computes in {}, found {}", backend.name(), name_of(backend.compute_dtype()),
             name_of(operand->dtype()));
    }
  }
  return backend;
}

/// An uninitialised tensor of x's dtype and device.
inline Tensor like(const Tensor& x, const Shape& shape) { return Tensor::empty(shape, x.dtype(), x.device()); }
inline Tensor like(const Tensor& x) { return like(x, x.shape()); }

/// The dtype for what `readers` read, on x's device.
inline DType dtype_for(Readers readers, const Tensor& x) {
  const Backend& backend = backend_of(x.device());
  if (readers == Readers::any) return backend.compute_dtype();
  const Precision precision = current_precision();
  return readers == Readers::products ? backend.stored_dtype(precision) : backend.pooled_dtype(precision);
}

/// Keeps with x its elements in the dtype that products read, until x is written; `kept_rounded` finds them.
void keep_rounded(const Tensor& x, const Tensor& rounded);
/// Undefined if nothing is kept.
Tensor kept_rounded(const Tensor& x);

/// The view of an optional operand.
inline ConstView optional_view(const Tensor& x) { return x.defined() ? ConstView(x) : ConstView(); }

/// x as [rows, last axis].
inline int64_t rows_of(const Shape& shape) { return shape[-1] == 0 ? 0 : shape.numel() / shape[-1]; }

/// Throws Error if an index is below `least` or beyond the rows of x. Of indices that a device computed nothing is
/// known.
void check_in_range(const char* op, const Tensor& x, const Tensor& index, int64_t least);

/// Sums `gradient` over the axes along which `shape` was broadcast to it.
Tensor reduce_to(const Tensor& gradient, const Shape& shape);

}  // namespace astroclip::ops
