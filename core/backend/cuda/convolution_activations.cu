#include "backend/cuda/convolution.h"
#include "backend/cuda/convolution_tiles.h"
#include "backend/cuda/scratch.h"

namespace astroclip::cuda {

namespace {

struct ConvolutionProduct {
  WindowMap map;
  const void* source;
  const float* weight;  ///< [terms, columns]
  int64_t rows, columns, row_tiles;
  int terms, channels;
  const float* bias;
  const void* residual;
  bool residual_is_bf16, relu;
  void* y;
  bool wide_source, wide_columns;
};

/// y [positions, columns] = relu(windows of the source [positions, terms] · weight + bias + residual).
template <class T, class R, bool turned, int rows_each>
__global__ void __launch_bounds__(product_threads) multiply_windows(ConvolutionProduct p) {
  using Tile = ProductTile<rows_each>;
  __shared__ __align__(16) float a[depth * Tile::row_pitch];
  __shared__ __align__(16) float b[depth * Tile::column_pitch];
  constexpr int loads = rows_each / 4;  // of four terms of a row
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t first_row = blockIdx.x % p.row_tiles * Tile::rows,
                first_column = blockIdx.x / p.row_tiles * tile_columns;
  const T* source = static_cast<const T*>(p.source);

  const int term_a = thread % 4 * 4, term_b = thread / 16, column_b = thread % 16 * 4;
  WindowAt at[loads];
  bool inside[loads];
#pragma unroll
  for (int i = 0; i < loads; ++i) {
    const int64_t row = first_row + 64 * i + thread / 4;
    at[i] = WindowAt(p.map, row);
    inside[i] = row < p.rows;
  }
  Floats<4> next_a[loads], next_b;
  const auto fetch = [&](int begin) {
#pragma unroll
    for (int i = 0; i < loads; ++i) {
      next_a[i] = inside[i] ? gather<turned>(source, p.map, at[i], begin + term_a, p.terms, p.channels, p.wide_source)
                            : Floats<4>{};
    }
    const int term = begin + term_b;
    next_b = term < p.terms ? load_row(p.weight + term * p.columns, first_column + column_b, p.columns, p.wide_columns)
                            : Floats<4>{};
  };

  float sums[rows_each][4] = {};
  fetch(0);
  for (int begin = 0; begin < p.terms; begin += depth) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < loads; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) a[(term_a + j) * Tile::row_pitch + 64 * i + thread / 4] = next_a[i][j];
    }
    store<4>(b + term_b * Tile::column_pitch + column_b, next_b);
    __syncthreads();
    if (begin + depth < p.terms) fetch(begin + depth);
    add_terms<rows_each>(sums, a + thread / 16 * 4, b + thread % 16 * 4);
  }

  const int64_t column = first_column + thread % 16 * 4;
#pragma unroll
  for (int i = 0; i < rows_each; ++i) {
    const int64_t row = first_row + i / 4 * 64 + thread / 16 * 4 + i % 4;
    if (row >= p.rows) continue;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (column + j >= p.columns) break;
      const int64_t to = row * p.columns + column + j;
      float value = sums[i][j];
      if (p.bias != nullptr) value += p.bias[column + j];
      if (p.residual != nullptr) {
        value += p.residual_is_bf16 ? to_float(static_cast<const Bf16*>(p.residual)[to])
                                    : static_cast<const float*>(p.residual)[to];
      }
      static_cast<R*>(p.y)[to] = from_float<R>(p.relu && value < 0.0F ? 0.0F : value);  // a NaN stays
    }
  }
}

/// turned [places, in, out], or [places, out, in] for dx, from weight [out, in, places].
__global__ void __launch_bounds__(256)
    turn_weight(const float* weight, int64_t out, int64_t in, int64_t places, bool for_dx, float* turned) {
  const int64_t at = thread_of_grid();
  if (at >= out * in * places) return;
  const int64_t last = for_dx ? in : out, middle = for_dx ? out : in;
  const int64_t j = at % last, i = at / last % middle, place = at / last / middle;
  turned[at] = weight[((for_dx ? i : j) * in + (for_dx ? j : i)) * places + place];
}

/// [windows' places · channels of the source, channels of the result].
class TurnedWeight {
 public:
  TurnedWeight(ConstView weight, bool for_dx) : turned_(weight.numel() * size_of(DType::f32)) {
    const Shape& s = weight.shape;
    launch(&turn_weight, blocks_for(weight.numel(), 256), 256, weight.as<float>(), s[0], s[1], s[2] * s[3], for_dx,
           turned_.as<float>());
  }
  const float* data() const { return turned_.as<float>(); }

 private:
  Scratch turned_;
};

/// Rows of a tile for a thread: fewer where there are few tiles. A constant, not the card's number of processors.
int rows_each_for(int64_t rows, int64_t columns) {
  return rows > 64 && (rows + 127) / 128 * ((columns + tile_columns - 1) / tile_columns) >= 264 ? 8 : 4;
}

template <class T, class R, bool turned>
void run_windows(ConvolutionProduct& p) {
  const auto run = [&]<int rows_each>() {
    p.row_tiles = (p.rows + 16 * rows_each - 1) / (16 * rows_each);
    const int64_t tiles = p.row_tiles * ((p.columns + tile_columns - 1) / tile_columns);
    launch(&multiply_windows<T, R, turned, rows_each>, static_cast<unsigned>(tiles), product_threads, p);
  };
  if (rows_each_for(p.rows, p.columns) == 8) return run.template operator()<8>();
  run.template operator()<4>();
}

ConvolutionProduct product_of(ConstView source, const float* weight, const Windows& windows, View y) {
  const int64_t channels = source.shape[3], columns = y.shape[3];
  return {.map = WindowMap(y.shape, source.shape, windows),
          .source = source.data,
          .weight = weight,
          .rows = y.numel() / columns,
          .columns = columns,
          .row_tiles = 0,
          .terms = static_cast<int>(windows.size[0] * windows.size[1] * channels),
          .channels = static_cast<int>(channels),
          .bias = nullptr,
          .residual = nullptr,
          .residual_is_bf16 = false,
          .relu = false,
          .y = y.data,
          .wide_source = channels % 4 == 0 && aligned(source.data),
          .wide_columns = columns % 4 == 0};
}

}  // namespace

void convolve(const ConvolutionArguments& a) {
  const TurnedWeight weight(a.weight, false);
  ConvolutionProduct p = product_of(a.x, weight.data(), a.windows, a.y);
  p.bias = a.bias.as<float>();
  p.residual = a.residual.data;
  p.residual_is_bf16 = a.residual.dtype == DType::bf16;
  p.relu = a.relu;
  with_float(a.x.dtype, "convolution", [&](auto of_x) {
    with_float(a.y.dtype, "convolution", [&](auto of_y) { run_windows<decltype(of_x), decltype(of_y), false>(p); });
  });
}

void convolve_backward_input(const ConvolutionBackwardInputArguments& a) {
  const TurnedWeight weight(a.weight, true);
  ConvolutionProduct p = product_of(a.dy, weight.data(), a.windows, a.dx);
  run_windows<float, float, true>(p);
}

}  // namespace astroclip::cuda
