#pragma once

#include "tensor/memory.h"

namespace astroclip::cuda {

/// Device memory for the length of a call. It may be released while queued work still uses it, because the next owner's
/// work is queued behind.
class Scratch {
 public:
  explicit Scratch(int64_t bytes) : bytes_(bytes), data_(memory_of(cuda_device).allocate(bytes)) {}
  ~Scratch() { memory_of(cuda_device).release(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  static constexpr Device cuda_device = {DeviceKind::cuda};
  int64_t bytes_;
  void* data_;
};

}  // namespace astroclip::cuda
