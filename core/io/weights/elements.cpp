#include "io/weights/elements.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace astroclip::io {

namespace {

bool is_integer(ElementType type) { return type >= ElementType::i64; }

bool is_contiguous(const StridedElements& elements) {
  const std::vector<int64_t> expected = contiguous_strides(elements.shape);
  for (size_t axis = 0; axis < expected.size(); ++axis) {
    if (elements.shape[static_cast<int>(axis)] != 1 && elements.strides[axis] != expected[axis]) return false;
  }
  return true;
}

/// Calls visit(index) with the storage index of each element, in the order of the tensor.
template <class Visit>
void for_each(const StridedElements& elements, const Visit& visit) {
  const int64_t count = elements.shape.numel();
  int64_t index[Shape::max_rank] = {};
  int64_t from = elements.offset;
  for (int64_t i = 0; i < count; ++i) {
    visit(from);
    for (int axis = elements.shape.rank(); axis-- > 0;) {
      const int64_t stride = elements.strides[static_cast<size_t>(axis)];
      from += stride;
      if (++index[axis] < elements.shape[axis]) break;
      from -= stride * index[axis];
      index[axis] = 0;
    }
  }
}

struct Half {
  uint16_t bits;
  explicit operator double() const { return half_to_float(bits); }
};
struct Brain {
  BFloat16 value;
  explicit operator double() const { return static_cast<float>(value); }
};

template <class From, class To>
std::vector<To> convert(const StridedElements& elements) {
  std::vector<To> values;
  values.reserve(static_cast<size_t>(elements.shape.numel()));
  for_each(elements, [&](int64_t from) {
    From value;
    std::memcpy(&value, elements.storage.data() + from * static_cast<int64_t>(sizeof(From)), sizeof(From));
    values.push_back(static_cast<To>(value));
  });
  return values;
}

std::vector<double> to_doubles(const StridedElements& elements) {
  switch (elements.type) {
    case ElementType::f64:
      return convert<double, double>(elements);
    case ElementType::f32:
      return convert<float, double>(elements);
    case ElementType::f16:
      return convert<Half, double>(elements);
    case ElementType::bf16:
      return convert<Brain, double>(elements);
    case ElementType::i64:
      return convert<int64_t, double>(elements);
    case ElementType::i32:
      return convert<int32_t, double>(elements);
    case ElementType::i16:
      return convert<int16_t, double>(elements);
    case ElementType::i8:
      return convert<int8_t, double>(elements);
    case ElementType::u8:
    case ElementType::boolean:
      return convert<uint8_t, double>(elements);
  }
  return {};
}

/// Integers narrower than 64 bits are exact as doubles.
Tensor read_integers(const StridedElements& elements, DType dtype, Device device) {
  if (dtype == DType::i64 && elements.type == ElementType::i64) {
    return Tensor::from_host(convert<int64_t, int64_t>(elements), elements.shape, device);
  }
  const auto values = to_doubles(elements);
  if (dtype == DType::i64) {
    return Tensor::from_host(std::vector<int64_t>(values.begin(), values.end()), elements.shape, device);
  }
  Tensor tensor = Tensor::empty(elements.shape, dtype, device);
  const auto fill = [&]<class To>(const To*) {
    std::vector<To> narrow;
    for (const double value : values) narrow.push_back(static_cast<To>(static_cast<int64_t>(value)));
    memory_of(device).copy_from_host(tensor.mutable_data(), narrow.data(), tensor.bytes());
  };
  if (dtype == DType::i32) {
    fill(static_cast<const int32_t*>(nullptr));
  } else {
    fill(static_cast<const uint8_t*>(nullptr));
  }
  return tensor;
}

}  // namespace

int64_t size_of(ElementType type) {
  constexpr int64_t sizes[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1};
  return sizes[static_cast<size_t>(type)];
}

std::string_view name_of(ElementType type) {
  constexpr std::string_view names[] = {"f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"};
  return names[static_cast<size_t>(type)];
}

DType dtype_of_elements(ElementType type) {
  constexpr DType dtypes[] = {DType::f64, DType::f32, DType::f32, DType::bf16, DType::i64,
                              DType::i32, DType::i32, DType::i32, DType::u8,   DType::u8};
  return dtypes[static_cast<size_t>(type)];
}

bool is_stored_as(ElementType type, DType dtype) {
  return type != ElementType::f16 && type != ElementType::i16 && type != ElementType::i8 &&
         dtype_of_elements(type) == dtype;
}

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1F;
  const uint32_t fraction = half & 0x3FF;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 0xFF : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

std::vector<int64_t> contiguous_strides(const Shape& shape) {
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()), 1);
  for (size_t axis = strides.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[static_cast<int>(axis)];
  return strides;
}

bool StridedElements::fits(int64_t storage_elements) const {
  if (offset < 0 || offset > storage_elements || strides.size() != static_cast<size_t>(shape.rank())) return false;
  if (shape.numel() == 0) return true;
  int64_t last = offset;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const int64_t stride = strides[static_cast<size_t>(axis)];
    int64_t reach = 0;
    if (stride < 0 || __builtin_mul_overflow(stride, shape[axis] - 1, &reach)) return false;
    if (__builtin_add_overflow(last, reach, &last)) return false;
  }
  return last < storage_elements;
}

bool StridedElements::repeats() const {
  // From the smallest stride up: each stride must exceed the reach of the smaller ones.
  std::vector<std::pair<int64_t, int64_t>> axes;  // stride, extent
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] > 1) axes.emplace_back(strides[static_cast<size_t>(axis)], shape[axis]);
  }
  std::ranges::sort(axes);
  int64_t reach = 0;
  for (const auto& [stride, extent] : axes) {
    if (stride <= reach) return true;
    reach += stride * (extent - 1);
  }
  return false;
}

bool StridedElements::ends_at(int64_t storage_elements) const {
  int64_t last = offset;
  for (int axis = 0; axis < shape.rank(); ++axis) last += strides[static_cast<size_t>(axis)] * (shape[axis] - 1);
  return last == storage_elements - 1;
}

Tensor read_elements(const StridedElements& elements, DType dtype, Device device,
                     const std::shared_ptr<const Backing>& backing) {
  const bool wants_integer = dtype == DType::i64 || dtype == DType::i32 || dtype == DType::u8;
  if (wants_integer && !is_integer(elements.type)) {
    throw Error(fmt::format("holds {}; expected integers", name_of(elements.type)));
  }
  if (is_stored_as(elements.type, dtype) && is_contiguous(elements)) {
    const auto* from = elements.storage.data() + elements.offset * size_of(elements.type);
    const bool aligned = reinterpret_cast<uintptr_t>(from) % static_cast<uintptr_t>(size_of(dtype)) == 0;
    if (aligned && is_host_memory(device) && elements.shape.numel() > 0) {
      return Tensor::backed(backing, from, elements.shape, dtype, device);
    }
    Tensor tensor = Tensor::empty(elements.shape, dtype, device);
    memory_of(device).copy_from_host(tensor.mutable_data(), from, tensor.bytes());
    return tensor;
  }
  if (wants_integer) return read_integers(elements, dtype, device);
  return Tensor::from_host(to_doubles(elements), elements.shape, dtype, device);
}

}  // namespace astroclip::io
