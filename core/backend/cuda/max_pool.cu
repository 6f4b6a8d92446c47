#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

/// Of the middle axes of x [batch, height, width, channels].
struct Plane {
  int height, width, channels;
};
struct Axis {
  __device__ Axis(int window, int window_size, int stride, int padding, int extent)
      : begin(max(window * stride - padding, 0)), end(min(window * stride - padding + window_size, extent)) {}
  int begin, end;
};
struct PoolWindows {
  int size[2], stride[2], padding[2];
};

/// A block has windows of one row of a sample; each of its threads N channels of one. The index is optional.
template <class T, int N>
__global__ void __launch_bounds__(256)
    max_pool_kernel(const T* x, Plane plane, PoolWindows windows, int rows, int columns, T* y, int64_t* index) {
  const int parts = plane.channels / N, part = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  if (part >= columns * parts) return;
  const int channel = part % parts * N, row = static_cast<int>(blockIdx.x % static_cast<unsigned>(rows));
  const int64_t sample = blockIdx.x / static_cast<unsigned>(rows);
  const Axis down(row, windows.size[0], windows.stride[0], windows.padding[0], plane.height);
  const Axis across(part / parts, windows.size[1], windows.stride[1], windows.padding[1], plane.width);
  const T* from = x + sample * plane.height * plane.width * plane.channels + channel;
  Floats<N> top;
  Pack<int64_t, N> place;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    top[i] = -INFINITY;
    place.at[i] = -1;
  }
  for (int i = down.begin; i < down.end; ++i) {
    for (int j = across.begin; j < across.end; ++j) {
      const int position = i * plane.width + j;
      const Floats<N> v = load<N>(from + int64_t{position} * plane.channels);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const bool number = top[k] == top[k];
        if (place.at[k] >= 0 && !(v[k] > top[k]) && !(number && v[k] != v[k])) continue;
        top[k] = v[k];
        place.at[k] = position;
      }
    }
  }
  const int64_t to = int64_t{blockIdx.x} * columns * plane.channels + int64_t{part} * N;
  store(y + to, top);
  if (index != nullptr) *reinterpret_cast<Pack<int64_t, N>*>(index + to) = place;
}

/// A thread has one channel of a sample and every eighth of its positions in turn: it goes through all windows and adds
/// up those whose largest element it has, so that the order of sums is that of the windows.
constexpr int pool_bands = 8;
__global__ void __launch_bounds__(32 * pool_bands)
    max_pool_backward_kernel(const float* __restrict__ dy, const int64_t* __restrict__ index, int64_t windows,
                             int64_t positions, int64_t channels, float* dx) {
  const int64_t channel = int64_t{blockIdx.y} * 32 + threadIdx.x % 32, band = threadIdx.x / 32;
  if (channel >= channels) return;
  const int64_t begin = positions * band / pool_bands, end = positions * (band + 1) / pool_bands;
  float* to = dx + blockIdx.x * positions * channels + channel;
  for (int64_t position = begin; position < end; ++position) to[position * channels] = 0.0f;
  const int64_t from = blockIdx.x * windows * channels + channel;
#pragma unroll 8
  for (int64_t window = 0; window < windows; ++window) {
    const int64_t at = from + window * channels, position = index[at];
    if (position >= begin && position < end) to[position * channels] += dy[at];
  }
}

template <class T, int N>
void max_pool_by(const ConstView& x, const PoolWindows& windows, const View& y, const View& index) {
  const Plane plane = {static_cast<int>(x.shape[1]), static_cast<int>(x.shape[2]), static_cast<int>(x.shape[3])};
  const int64_t rows = y.shape[1], columns = y.shape[2];
  launch(&max_pool_kernel<T, N>,
         dim3(static_cast<unsigned>(x.shape[0] * rows), blocks_for(columns * x.shape[3], 256 * N)), 256, x.as<T>(),
         plane, windows, static_cast<int>(rows), static_cast<int>(columns), y.as<T>(), index.as<int64_t>());
}

}  // namespace

void CudaBackend::max_pool(ConstView x, const Windows& windows, View y, View index) {
  if (index) expect_f32(x, "max_pool");
  PoolWindows on;
  for (size_t axis = 0; axis < 2; ++axis) {
    on.size[axis] = static_cast<int>(windows.size[axis]);
    on.stride[axis] = static_cast<int>(windows.stride[axis]);
    on.padding[axis] = static_cast<int>(windows.padding[axis]);
  }
  const bool wide = x.shape[3] % 4 == 0 && aligned(x.data, y.data, index.data);
  with_float(x.dtype, "max_pool", [&](auto kind) {
    using T = decltype(kind);
    (wide ? &max_pool_by<T, 4> : &max_pool_by<T, 1>)(x, on, y, index);
  });
}

void CudaBackend::max_pool_backward(ConstView dy, ConstView index, View dx) {
  expect_f32(dy, "max_pool_backward");
  const int64_t channels = dx.shape[3];
  launch(&max_pool_backward_kernel, dim3(static_cast<unsigned>(dx.shape[0]), blocks_for(channels, 32)), 32 * pool_bands,
         dy.as<float>(), index.as<int64_t>(), dy.shape[1] * dy.shape[2], dx.shape[1] * dx.shape[2], channels,
         dx.as<float>());
}

}  // namespace astroclip::cuda
