#include "backend/readback.h"

#include <fmt/format.h>

#include <cstring>
#include <type_traits>

#include "backend/pinned.h"
#include "base/error.h"

namespace astroclip {

Readback::Readback(const std::vector<Tensor>& tensors) {
  int64_t bytes = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.dtype() != DType::f32 && tensor.dtype() != DType::f64 && tensor.dtype() != DType::bf16) {
      throw Error(fmt::format("[readback] expected f32, f64 or bf16, found {}", name_of(tensor.dtype())));
    }
    parts_.push_back({tensor.dtype(), tensor.numel()});
    bytes += tensor.bytes();
  }
  const Device device = tensors.front().device();
  Backend& backend = backend_of(device);
  bytes_ = std::make_unique<std::pmr::vector<std::byte>>(static_cast<size_t>(bytes), pinned_memory(device));
  std::byte* to = bytes_->data();
  for (const Tensor& tensor : tensors) {
    backend.copy_async(to, tensor);
    to += tensor.bytes();
  }
  there_ = backend.record_event();
}

template <class To>
std::vector<To> Readback::values() const {
  there_->wait();
  std::vector<To> all;
  const std::byte* from = bytes_->data();
  const auto take = [&]<class From>(From value, int64_t count) {
    for (int64_t i = 0; i < count; ++i, from += sizeof(From)) {
      std::memcpy(&value, from, sizeof(From));
      if constexpr (std::is_same_v<From, BFloat16>) {
        all.push_back(static_cast<float>(value));
      } else {
        all.push_back(static_cast<To>(value));
      }
    }
  };
  for (const auto& [dtype, count] : parts_) {
    if (dtype == DType::f32) take(0.0F, count);
    if (dtype == DType::f64) take(0.0, count);
    if (dtype == DType::bf16) take(BFloat16(), count);
  }
  return all;
}

template std::vector<float> Readback::values<float>() const;
template std::vector<double> Readback::values<double>() const;

}  // namespace astroclip
