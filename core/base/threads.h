#pragma once

#include <cstdint>
#include <functional>

namespace astroclip {

/// Compute threads. Kernels are called from one thread at a time, never from loader threads.
int compute_threads();
/// Sets the number of compute threads; 0: OMP_NUM_THREADS, or one per available core.
void set_compute_threads(int count);

/// Calls `body(begin, end)` on disjoint ranges covering [0, count), one per compute thread. The partition
/// depends only on `count`, `grain` and the number of compute threads, never on timing.
void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body);
/// Number of ranges that parallel_for makes of `count`.
int64_t parallel_parts(int64_t count, int64_t grain);

}  // namespace astroclip
