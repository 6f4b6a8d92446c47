#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>
#include <string>

namespace astroclip::cuda::emulated {

/// A kernel with its arguments, as it waits in a stream.
struct Kernel {
  std::string name;
  dim3 grid, block;
  size_t shared = 0;             ///< bytes of dynamic shared memory
  unsigned cluster = 1;          ///< blocks along x that run together
  std::function<void()> thread;  ///< what each thread does
};

/// Runs the blocks, or clusters, one after the other, the last first, each with shared memory full of NaN. Throws Error
/// when threads wait for others that never come. Only on the device's thread.
void run_blocks(const Kernel& kernel);
/// Whether a kernel's thread runs, rather than a copy.
bool inside_thread();
/// Where a thread goes on that did what it may not; run_blocks then throws Error with that problem. Never returns.
void abandon_thread();
void set_problem(const std::string& problem);

}  // namespace astroclip::cuda::emulated
