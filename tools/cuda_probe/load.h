// Work for the card beside what is measured.
#pragma once

#include "device.h"

/// Queues kernels of changing size, a few tenths of a millisecond each, which take processors and memory away from
/// other streams.
class Load {
 public:
  void queue(int turn);
  void wait() const { stream_.wait(); }

 private:
  Stream stream_;
  Buffer<float> memory_{int64_t{16} << 20};
};
