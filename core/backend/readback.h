#pragma once

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <span>
#include <vector>

#include "backend/backend.h"

namespace astroclip {

/// Numbers on their way from a device to the host, which goes on meanwhile: they are copied when the device has come to
/// them.
class Readback {
 public:
  /// Queues the copies of tensors of one device, f32, f64 or bf16, at least one.
  explicit Readback(const std::vector<Tensor>& tensors);
  /// Waits for them. The elements of all tensors, one tensor after another.
  std::vector<float> floats() const { return values<float>(); }
  std::vector<double> doubles() const { return values<double>(); }

 private:
  template <class To>
  std::vector<To> values() const;

  struct Part {
    DType dtype;
    int64_t count;
  };
  std::vector<Part> parts_;
  std::unique_ptr<std::pmr::vector<std::byte>> bytes_;  ///< pinned
  std::unique_ptr<Event> there_;
};

}  // namespace astroclip
