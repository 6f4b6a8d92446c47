#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace astroclip {

/// Everything that sums or gathers over processes. One process now; MPI and NCCL implement the same calls.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;
  /// Rows of all processes in the order of ranks: [rows, ...] → [size·rows, ...].
  virtual Tensor all_gather(const Tensor& rows) = 0;
  /// Sums in place over all processes.
  virtual void all_reduce(Tensor& values) = 0;
};

/// The communicator of a single process: gathers return their argument.
Communicator& single_process();

}  // namespace astroclip
