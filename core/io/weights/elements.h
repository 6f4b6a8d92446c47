#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace astroclip::io {

/// Element types of files; little-endian.
enum class ElementType : uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

int64_t size_of(ElementType type);
std::string_view name_of(ElementType type);
/// The dtype that holds every value of the type: f16 reads as f32, i16 and i8 as i32, boolean as u8.
DType dtype_of_elements(ElementType type);
/// Whether the type and the dtype have the same representation.
bool is_stored_as(ElementType type, DType dtype);
/// Converts IEEE 754 binary16 exactly.
float half_to_float(uint16_t half);

/// A strided view of a storage, as in PyTorch; strides are in elements.
struct StridedElements {
  ElementType type = ElementType::f32;
  std::span<const std::byte> storage;
  int64_t offset = 0;  ///< in elements
  Shape shape;
  std::vector<int64_t> strides;  ///< one per axis, non-negative

  /// Whether every element is within a storage of so many elements.
  bool fits(int64_t storage_elements) const;
  /// Whether the view may contain an element of the storage more than once. Requires fits().
  bool repeats() const;
  /// Whether the last element of the view is the last of the storage. Requires fits().
  bool ends_at(int64_t storage_elements) const;
};

/// Strides of a contiguous tensor, the last axis fastest.
std::vector<int64_t> contiguous_strides(const Shape& shape);

/// The elements as a contiguous tensor. It shares the bytes of `backing` if they are aligned and need neither
/// conversion nor another device; otherwise it is a copy. `elements` must fit its storage. Throws Error if integers are
/// requested from floats.
Tensor read_elements(const StridedElements& elements, DType dtype, Device device,
                     const std::shared_ptr<const Backing>& backing);

}  // namespace astroclip::io
