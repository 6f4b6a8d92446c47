#include <algorithm>
#include <chrono>
#include <cstdarg>

#include "device.h"

namespace {

__device__ uint64_t mixed(uint64_t x) {  // SplitMix64
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

__device__ int64_t first_index() { return blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; }
__device__ int64_t index_step() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

template <class T>
__global__ void normal_kernel(T* y, int64_t count, uint64_t seed, float mean, float deviation) {
  for (int64_t i = first_index(); i < count; i += index_step()) {
    const uint64_t bits = mixed(seed * 0x2545F4914F6CDD1Dull + static_cast<uint64_t>(i));
    const float u = (static_cast<float>(bits >> 40) + 0.5F) * 0x1p-24F;
    const float v = static_cast<float>(static_cast<uint32_t>(bits)) * 0x1p-32F;
    y[i] = T(mean + deviation * sqrtf(-2.0F * logf(u)) * cospif(2.0F * v));
  }
}

template <class T>
__global__ void difference_kernel(const T* a, const double* b, int64_t count, double* sums) {
  double difference = 0.0, size = 0.0;
  for (int64_t i = first_index(); i < count; i += index_step()) {
    const double x = static_cast<double>(static_cast<float>(a[i]));
    difference += (x - b[i]) * (x - b[i]);
    size += b[i] * b[i];
  }
  atomicAdd(&sums[0], difference);
  atomicAdd(&sums[1], size);
}

__global__ void compare_kernel(const uint32_t* a, const uint32_t* b, int64_t words, int* flag) {
  bool differs = false;
  for (int64_t i = first_index(); i < words; i += index_step()) differs |= a[i] != b[i];
  if (differs) *flag = 1;
}
__global__ void add_flag_kernel(int* flag, int* sum) {
  *sum += *flag;
  *flag = 0;
}

}  // namespace

template <class T>
void fill_normal(T* y, int64_t count, uint64_t seed, double deviation, double mean, cudaStream_t stream) {
  normal_kernel<<<1024, 256, 0, stream>>>(y, count, seed, static_cast<float>(mean), static_cast<float>(deviation));
  check(cudaGetLastError());
}
template void fill_normal(float*, int64_t, uint64_t, double, double, cudaStream_t);
template void fill_normal(bf16*, int64_t, uint64_t, double, double, cudaStream_t);

template <class T>
double relative_error(const T* a, const double* b, int64_t count) {
  Buffer<double> sums(2);
  sums.zero();
  difference_kernel<<<256, 256>>>(a, b, count, sums.get());
  check(cudaGetLastError());
  const std::vector<double> host = sums.host();
  return std::sqrt(host[0] / host[1]);
}
template double relative_error(const float*, const double*, int64_t);
template double relative_error(const bf16*, const double*, int64_t);

void count_if_different(const void* a, const void* b, size_t bytes, int* differing, cudaStream_t stream) {
  static const auto flag = [] {
    Buffer<int> made(1);
    made.zero();
    return made;
  }();
  compare_kernel<<<1024, 256, 0, stream>>>(static_cast<const uint32_t*>(a), static_cast<const uint32_t*>(b),
                                           static_cast<int64_t>(bytes / 4), flag.get());
  add_flag_kernel<<<1, 1, 0, stream>>>(flag.get(), differing);
  check(cudaGetLastError());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double time_ms(const std::function<void()>& work, int calls, int groups, cudaStream_t stream) {
  check(cudaDeviceSynchronize());
  work();
  work();
  const Event start, stop;
  std::vector<double> times;
  for (int group = 0; group < groups; ++group) {
    start.record(stream);
    for (int call = 0; call < calls; ++call) work();
    stop.record(stream);
    stop.wait();
    times.push_back(stop.ms_since(start) / calls);
  }
  return median(times);
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void say(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::printf("\n");
  std::fflush(stdout);
}

bool attempt(const std::string& name, const std::function<void()>& experiment) {
  try {
    experiment();
    return true;
  } catch (const std::exception& error) {
    say("FAILED %s: %s", name.c_str(), error.what());
    cudaGetLastError();  // forgets it
    return false;
  }
}

void say_versions() {
  cudaDeviceProp card{};
  int driver = 0, runtime = 0;
  check(cudaGetDeviceProperties(&card, 0));
  check(cudaDriverGetVersion(&driver));
  check(cudaRuntimeGetVersion(&runtime));
  say("# %s, driver for CUDA %d, runtime %d, cuBLASLt %zu, cuDNN %zu", card.name, driver, runtime, cublasLtGetVersion(),
      cudnnGetVersion());
}
