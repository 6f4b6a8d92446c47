#pragma once

#include "tensor/memory.h"

namespace astroclip::cpu {

/// A block of the caching host memory for the length of a kernel.
class Scratch {
 public:
  explicit Scratch(int64_t bytes) : bytes_(bytes), block_(bytes > 0 ? memory().allocate(bytes) : nullptr) {}
  ~Scratch() {
    if (block_ != nullptr) memory().release(block_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* data() const { return block_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(block_);
  }

 private:
  static Memory& memory() { return memory_of(Device{DeviceKind::cpu, 0}); }

  int64_t bytes_;
  void* block_;
};

}  // namespace astroclip::cpu
