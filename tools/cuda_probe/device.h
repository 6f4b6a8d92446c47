// What every probe shares: device memory, random data, comparison of numbers and of bits, timing by events.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "checked.h"

using bf16 = __nv_bfloat16;

/// Owned device memory, poisoned: every byte 0xFF is NaN in double, float and bf16.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count) : count_(count) {
    if (count == 0) return;
    check(cudaMalloc(&data_, bytes()));
    poison();
  }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Buffer() { cudaFree(data_); }
  void poison() { check(cudaMemset(data_, 0xFF, bytes())); }
  void zero() { check(cudaMemset(data_, 0, bytes())); }
  T* get() const { return data_; }
  int64_t count() const { return count_; }
  size_t bytes() const { return static_cast<size_t>(count_) * sizeof(T); }
  std::vector<T> host() const {
    std::vector<T> copy(static_cast<size_t>(count_));
    check(cudaMemcpy(copy.data(), data_, bytes(), cudaMemcpyDeviceToHost));
    return copy;
  }

 private:
  T* data_ = nullptr;
  int64_t count_ = 0;
};
using Workspace = Buffer<unsigned char>;

class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  Stream(const Stream&) = delete;
  ~Stream() { cudaStreamDestroy(stream_); }
  operator cudaStream_t() const { return stream_; }
  void wait() const { check(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  Event() { check(cudaEventCreate(&event_)); }
  Event(Event&& other) noexcept { std::swap(event_, other.event_); }
  ~Event() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  operator cudaEvent_t() const { return event_; }
  void record(cudaStream_t stream) const { check(cudaEventRecord(event_, stream)); }
  void wait() const { check(cudaEventSynchronize(event_)); }
  /// Work queued in `stream` from here on comes after what is recorded.
  void hold_back(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_, 0)); }
  double ms_since(const Event& earlier) const {
    float ms = 0.0F;
    check(cudaEventElapsedTime(&ms, earlier.event_, event_));
    return ms;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Normal numbers, the same for every run: value i depends on (seed, i) alone.
template <class T>
void fill_normal(T* y, int64_t count, uint64_t seed, double deviation = 1.0, double mean = 0.0,
                 cudaStream_t stream = nullptr);
template <class T>
Buffer<T> normal(int64_t count, uint64_t seed, double deviation = 1.0, double mean = 0.0) {
  Buffer<T> buffer(count);
  fill_normal(buffer.get(), count, seed, deviation, mean);
  return buffer;
}

/// ‖a − b‖ / ‖b‖; NaN if any number is NaN.
template <class T>
double relative_error(const T* a, const double* b, int64_t count);

/// Queues: adds 1 to *differing if the arrays differ in any bit; `bytes` a multiple of 4.
void count_if_different(const void* a, const void* b, size_t bytes, int* differing, cudaStream_t stream = nullptr);

double median(std::vector<double> values);
/// Milliseconds of one call: the median over `groups` of event timings around `calls` calls each, after two calls.
double time_ms(const std::function<void()>& work, int calls = 5, int groups = 7, cudaStream_t stream = nullptr);
/// Seconds of the host's clock.
double now();

/// One line of the table, written at once: what a timeout cuts off loses no line.
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...);
/// Runs one experiment; what it throws is printed, and the next goes on. Whether it ran to its end.
bool attempt(const std::string& name, const std::function<void()>& experiment);
/// The card, the driver and the libraries that this process has loaded.
void say_versions();
