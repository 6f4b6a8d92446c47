#include "backend/cuda/convolution.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

template <class T>
__global__ void __launch_bounds__(256)
    round_rows_padded(const T* x, int64_t rows, int channels, int padded_channels, Bf16* y) {
  const int chunks = padded_channels / 8;
  const int64_t at = thread_of_grid(), row = at / chunks;
  if (row >= rows) return;
  const int first = static_cast<int>(at - row * chunks) * 8;
  Floats<8> values = {};
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    if (first + i < channels) values[i] = to_float(x[row * channels + first + i]);
  }
  store<8>(y + at * 8, values);
}

}  // namespace

void round_padded(ConstView x, View y) {
  const int64_t channels = x.shape[3], rows = x.numel() / channels;
  with_float(x.dtype, "convolution", [&](auto type) {
    using T = decltype(type);
    launch(&round_rows_padded<T>, blocks_for(y.numel() / 8, 256), 256, x.as<T>(), rows, static_cast<int>(channels),
           static_cast<int>(y.shape[3]), y.as<Bf16>());
  });
}

}  // namespace astroclip::cuda
