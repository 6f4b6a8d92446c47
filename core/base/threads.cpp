#include "base/threads.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <mutex>

namespace astroclip {

int compute_threads() { return omp_get_max_threads(); }

void set_compute_threads(int count) {
  static const int at_start = omp_get_max_threads();  // OMP_NUM_THREADS, or the cores
  omp_set_num_threads(count > 0 ? count : at_start);
}

int64_t parallel_parts(int64_t count, int64_t grain) {
  return std::clamp<int64_t>(grain > 0 ? count / grain : count, 1, compute_threads());
}

void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  const int64_t parts = parallel_parts(count, grain);
  if (parts <= 1) {
    if (count > 0) body(0, count);
    return;
  }
  std::exception_ptr failure;
  std::mutex failure_mutex;
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static, 1)
  for (int64_t part = 0; part < parts; ++part) {
    try {
      body(count * part / parts, count * (part + 1) / parts);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace astroclip
