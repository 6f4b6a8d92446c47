#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace astroclip::io {

/// How files store an element; little-endian.
enum class ElementType : uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

int64_t size_of(ElementType type);
std::string_view name_of(ElementType type);
/// The dtype that holds every value of the type: f16 reads as f32, i16 and i8 as i32, boolean as u8.
DType dtype_of_elements(ElementType type);
/// Whether elements of the type are those of the dtype, bit for bit.
bool is_stored_as(ElementType type, DType dtype);
/// IEEE 754 binary16, exactly.
float half_to_float(uint16_t half);

/// Elements of a storage seen through strides (in elements), as PyTorch does.
struct StridedElements {
  ElementType type = ElementType::f32;
  std::span<const std::byte> storage;
  int64_t offset = 0;  ///< in elements
  Shape shape;
  std::vector<int64_t> strides;  ///< one for each axis, none negative

  /// Whether every element lies in a storage of so many elements.
  bool fits(int64_t storage_elements) const;
  /// Whether some element of the storage may be seen more than once; for what fits.
  bool repeats() const;
  /// Whether the last element that is seen is the storage's last; for what fits.
  bool ends_at(int64_t storage_elements) const;
};

/// Strides of a tensor whose elements follow one another, the last axis fastest.
std::vector<int64_t> contiguous_strides(const Shape& shape);

/// The elements as a contiguous tensor: where nothing is to be converted or moved to another device, and they are
/// aligned, the bytes in `backing` themselves, else a copy. `elements` must fit its storage. Throws Error when integers
/// are asked of what holds floats.
Tensor read_elements(const StridedElements& elements, DType dtype, Device device,
                     const std::shared_ptr<const Backing>& backing);

}  // namespace astroclip::io
