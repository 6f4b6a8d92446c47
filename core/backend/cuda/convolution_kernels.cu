#include <algorithm>

#include "backend/cuda/convolution.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/tensor_core.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

// Convolutions as products of matrices whose left or right one is read through the windows. A block computes a tile of
// 16 · rows_each rows and 64 columns; a thread rows_each rows and 4 columns of it, over `depth` terms at a time.
constexpr int depth = 16, tile_columns = 64, product_threads = 256;

template <int rows_each>
struct ProductTile {
  static constexpr int rows = 16 * rows_each, row_pitch = rows + 4, column_pitch = tile_columns + 4;
};

/// Positions of a plane under windows: of a result [batch, rows, columns], which position of the source
/// [batch, source_rows, source_columns] lies at a place of the window.
struct WindowMap {
  int rows, columns, source_rows, source_columns, window_columns;
  int stride[2], padding[2];

  WindowMap(const Shape& result, const Shape& source, const Windows& windows)
      : rows(static_cast<int>(result[1])),
        columns(static_cast<int>(result[2])),
        source_rows(static_cast<int>(source[1])),
        source_columns(static_cast<int>(source[2])),
        window_columns(static_cast<int>(windows.size[1])) {
    for (size_t axis = 0; axis < 2; ++axis) {
      stride[axis] = static_cast<int>(windows.stride[axis]);
      padding[axis] = static_cast<int>(windows.padding[axis]);
    }
  }
};

/// A position of the result, and the window's first position in the source.
struct WindowAt {
  int64_t sample = 0;
  int row = 0, column = 0;
  WindowAt() = default;
  __device__ WindowAt(const WindowMap& map, int64_t position) {
    const int64_t plane = static_cast<int64_t>(map.rows) * map.columns;
    sample = position / plane;
    const auto rest = static_cast<int>(position - sample * plane);
    row = rest / map.columns;
    column = rest - row * map.columns;
  }
  __device__ void advance(const WindowMap& map, int positions) {
    column += positions;
    while (column >= map.columns) {
      column -= map.columns;
      if (++row == map.rows) row = 0, ++sample;
    }
  }
};

/// Along an axis: the source's position, or −1. `turned`: the result has the positions, the source the windows.
template <bool turned>
__device__ int source_along(int at, int place, int stride, int padding, int extent) {
  int from = at * stride - padding + place;
  if constexpr (turned) {
    from = at + padding - place;
    if (from % stride != 0) return -1;
    from /= stride;
  }
  return from < extent ? from : -1;
}

/// The source's position of `at` under a place of the window; −1 beyond the border.
template <bool turned>
__device__ int64_t source_of(const WindowMap& map, const WindowAt& at, int place) {
  const int row = place / map.window_columns, column = place - row * map.window_columns;
  const int y = source_along<turned>(at.row, row, map.stride[0], map.padding[0], map.source_rows);
  const int x = source_along<turned>(at.column, column, map.stride[1], map.padding[1], map.source_columns);
  if (y < 0 || x < 0) return -1;
  return (at.sample * map.source_rows + y) * map.source_columns + x;
}

/// Four elements from term `from` = place · channels + channel of the window at a position. `wide`: they lie together.
template <bool turned, class T>
__device__ Floats<4> gather(const T* source, const WindowMap& map, const WindowAt& at, int from, int terms,
                            int channels, bool wide) {
  Floats<4> values = {};
  if (wide) {
    if (from >= terms) return values;
    const int place = from / channels;
    const int64_t position = source_of<turned>(map, at, place);
    return position < 0 ? values : load<4>(source + position * channels + (from - place * channels));
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (from + i >= terms) break;
    const int place = (from + i) / channels;
    const int64_t position = source_of<turned>(map, at, place);
    if (position >= 0) values[i] = to_float(source[position * channels + (from + i - place * channels)]);
  }
  return values;
}

/// Four elements of a row of a matrix from a column on.
__device__ inline Floats<4> load_row(const float* row, int64_t column, int64_t columns, bool wide) {
  Floats<4> values = {};
  if (wide) return column < columns ? load<4>(row + column) : values;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (column + i < columns) values[i] = row[column + i];
  }
  return values;
}

/// sums += aᵀ b over the terms in shared memory, a [depth, rows], b [depth, columns].
template <int rows_each>
__device__ void add_terms(float (&sums)[rows_each][4], const float* a, const float* b) {
  using Tile = ProductTile<rows_each>;
#pragma unroll
  for (int term = 0; term < depth; ++term) {
    const Floats<4> right = load<4>(b + term * Tile::column_pitch);
#pragma unroll
    for (int part = 0; part < rows_each / 4; ++part) {
      const Floats<4> left = load<4>(a + term * Tile::row_pitch + 64 * part);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[4 * part + i][j] = fmaf(left[i], right[j], sums[4 * part + i][j]);
      }
    }
  }
}

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

struct WeightProduct {
  WindowMap map;
  const void* dy;  ///< [positions, rows]
  const void* x;
  int64_t positions, rows, row_tiles, tiles, part;  ///< positions of a part
  int terms, channels;
  float* sums;  ///< [parts, rows, terms]
  bool wide_rows, wide_x;
};

/// sums [part, rows, terms] = dyᵀ · windows of x, over the positions of a part.
template <class T, int rows_each>
__global__ void __launch_bounds__(product_threads) multiply_turned_windows(WeightProduct p) {
  using Tile = ProductTile<rows_each>;
  __shared__ __align__(16) float a[depth * Tile::row_pitch];
  __shared__ __align__(16) float b[depth * Tile::column_pitch];
  constexpr int loads = rows_each / 4;
  const int thread = static_cast<int>(threadIdx.x), term = thread / 16, four = thread % 16 * 4;
  const int64_t tile = blockIdx.x % p.tiles, part = blockIdx.x / p.tiles;
  const int64_t first_row = tile % p.row_tiles * Tile::rows;
  const int first_column = static_cast<int>(tile / p.row_tiles) * tile_columns;
  const int64_t begin = part * p.part, end = begin + p.part < p.positions ? begin + p.part : p.positions;
  const T* x = static_cast<const T*>(p.x);

  Floats<4> next_a[loads], next_b;
  WindowAt at_window(p.map, begin + term);
  const auto fetch = [&](int64_t position) {
    const bool inside = position < end;
#pragma unroll
    for (int i = 0; i < loads; ++i) {
      next_a[i] = inside ? load_row(static_cast<const float*>(p.dy) + position * p.rows, first_row + 64 * i + four,
                                    p.rows, p.wide_rows)
                         : Floats<4>{};
    }
    next_b =
        inside ? gather<false>(x, p.map, at_window, first_column + four, p.terms, p.channels, p.wide_x) : Floats<4>{};
    at_window.advance(p.map, depth);
  };

  float sums[rows_each][4] = {};
  fetch(begin + term);
  for (int64_t at = begin; at < end; at += depth) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < loads; ++i) store<4>(a + term * Tile::row_pitch + 64 * i + four, next_a[i]);
    store<4>(b + term * Tile::column_pitch + four, next_b);
    __syncthreads();
    if (at + depth < end) fetch(at + depth + term);
    add_terms<rows_each>(sums, a + thread / 16 * 4, b + thread % 16 * 4);
  }

#pragma unroll
  for (int i = 0; i < rows_each; ++i) {
    const int64_t row = first_row + i / 4 * 64 + thread / 16 * 4 + i % 4;
    if (row >= p.rows) continue;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int column = first_column + four + j;
      if (column < p.terms) p.sums[(part * p.rows + row) * p.terms + column] = sums[i][j];
    }
  }
}

constexpr int rounded_depth = 32, rounded_columns = 128;

/// Of chunk `chunk` of 8 elements in row `row` of `chunks`: chunks change places so that eight rows hit all banks.
template <int chunks>
__device__ uint32_t chunk_offset(int row, int chunk) {
  return static_cast<uint32_t>((row * chunks + (chunk ^ (row & 7))) * 16);
}

/// As multiply_turned_windows, with dy and x in bf16 on tensor cores. A block computes `tile_rows` rows and 128
/// columns, each of its eight warps a half of those and a quarter of these, over 32 positions at a time; the next ones
/// are copied meanwhile.
template <int tile_rows>
__global__ void __launch_bounds__(product_threads) multiply_rounded_windows(WeightProduct p) {
  constexpr int row_chunks = tile_rows / 8, column_chunks = rounded_columns / 8, blocks = tile_rows / 32;
  constexpr int a_bytes = rounded_depth * tile_rows * 2, b_bytes = rounded_depth * rounded_columns * 2;
  __shared__ __align__(128) unsigned char memory[2 * (a_bytes + b_bytes)];
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int64_t tile = blockIdx.x % p.tiles, part = blockIdx.x / p.tiles;
  const int64_t first_row = tile % p.row_tiles * tile_rows;
  const int first_column = static_cast<int>(tile / p.row_tiles) * rounded_columns;
  const int64_t begin = part * p.part, end = begin + p.part < p.positions ? begin + p.part : p.positions;
  const Bf16* dy = static_cast<const Bf16*>(p.dy);
  const Bf16* x = static_cast<const Bf16*>(p.x);

  // This thread copies two chunks of x at a time, 16 positions apart, always of the same place and channels.
  const int column = first_column + thread % column_chunks * 8, place = column / p.channels;
  WindowAt at[2] = {WindowAt(p.map, begin + thread / column_chunks),
                    WindowAt(p.map, begin + thread / column_chunks + rounded_depth / 2)};
  const auto copy = [&](int64_t position, SharedAddress to) {
#pragma unroll
    for (int i = thread; i < rounded_depth * row_chunks; i += product_threads) {
      const int row = i / row_chunks, chunk = i % row_chunks;
      const bool inside = position + row < end && first_row + chunk * 8 < p.rows;
      copy_async(to + chunk_offset<row_chunks>(row, chunk),
                 inside ? dy + (position + row) * p.rows + first_row + chunk * 8 : dy, inside);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = thread / column_chunks + i * rounded_depth / 2;
      const int64_t from =
          position + row < end && column < p.terms ? source_of<false>(p.map, at[i], place) : int64_t{-1};
      copy_async(to + a_bytes + chunk_offset<column_chunks>(row, thread % column_chunks),
                 from < 0 ? x : x + from * p.channels + (column - place * p.channels), from >= 0);
      at[i].advance(p.map, rounded_depth);
    }
  };

  float sums[blocks][4][4] = {};
  const SharedAddress stages = shared_address(memory);
  copy(begin, stages);
  int stage = 0;
  for (int64_t position = begin; position < end; position += rounded_depth, stage ^= 1) {
    wait_for_copies();
    __syncthreads();
    const SharedAddress a = stages + stage * (a_bytes + b_bytes), b = a + a_bytes;
    if (position + rounded_depth < end) copy(position + rounded_depth, stages + (stage ^ 1) * (a_bytes + b_bytes));
#pragma unroll
    for (int first = 0; first < rounded_depth; first += 16) {
      uint32_t right[2][4];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int chunk = warp % 4 * 4 + i * 2 + lane / 16;
        load_matrices_turned(right[i], b + chunk_offset<column_chunks>(first + lane % 16, chunk));
      }
#pragma unroll
      for (int block = 0; block < blocks; ++block) {
        uint32_t left[4];
        const int chunk = (warp / 4 * blocks + block) * 2 + lane / 8 % 2;
        load_matrices_turned(left, a + chunk_offset<row_chunks>(first + lane % 8 + lane / 16 * 8, chunk));
#pragma unroll
        for (int i = 0; i < 4; ++i)
          multiply_add(sums[block][i], left, right[i / 2][i % 2 * 2], right[i / 2][i % 2 * 2 + 1]);
      }
    }
  }

#pragma unroll
  for (int block = 0; block < blocks; ++block) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int64_t row = first_row + (warp / 4 * blocks + block) * 16 + half * 8 + lane / 4;
        const int to = first_column + warp % 4 * 32 + i * 8 + lane % 4 * 2;
        if (row < p.rows && to < p.terms) {
          *reinterpret_cast<float2*>(p.sums + (part * p.rows + row) * p.terms + to) =
              make_float2(sums[block][i][half * 2], sums[block][i][half * 2 + 1]);
        }
      }
    }
  }
}

/// dweight [rows, channels, places] = the sum of parts [parts, padded rows, places, padded channels] of `size`
/// elements.
__global__ void __launch_bounds__(256)
    add_weight_parts(const float* parts, int64_t count, int64_t size, int64_t rows, int64_t channels, int64_t places,
                     int64_t padded_channels, float* dweight) {
  const int64_t at = thread_of_grid();
  if (at >= rows * channels * places) return;
  const int64_t channel = at % channels, place = at / channels % places, row = at / channels / places;
  const int64_t from = (row * places + place) * padded_channels + channel;
  float sum = parts[from];
  for (int64_t part = 1; part < count; ++part) sum += parts[part * size + from];
  dweight[(row * channels + channel) * places + place] = sum;
}

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

void round_padded(ConstView x, View y) {
  const int64_t channels = x.shape[3], rows = x.numel() / channels;
  with_float(x.dtype, "convolution", [&](auto type) {
    using T = decltype(type);
    launch(&round_rows_padded<T>, blocks_for(y.numel() / 8, 256), 256, x.as<T>(), rows, static_cast<int>(channels),
           static_cast<int>(y.shape[3]), y.as<Bf16>());
  });
}

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

void convolve_backward_weight(const ConvolutionBackwardWeightArguments& a) {
  const int64_t rows = a.dy.shape[3], channels = a.x.shape[3], places = a.windows.size[0] * a.windows.size[1];
  const int64_t terms = places * channels, positions = a.dy.numel() / rows;
  const auto run = [&](auto kernel, int64_t rows_of_tile, int64_t columns_of_tile) {
    const int64_t row_tiles = (rows + rows_of_tile - 1) / rows_of_tile;
    const int64_t tiles = row_tiles * ((terms + columns_of_tile - 1) / columns_of_tile);
    const int64_t wanted = std::clamp<int64_t>(positions / 256, 1, std::max<int64_t>(1, 528 / tiles));
    const int64_t part = (positions + wanted - 1) / wanted, parts = (positions + part - 1) / part;
    const Scratch sums(parts * rows * terms * size_of(DType::f32));
    const WeightProduct p{.map = WindowMap(a.dy.shape, a.x.shape, a.windows),
                          .dy = a.dy.data,
                          .x = a.x.data,
                          .positions = positions,
                          .rows = rows,
                          .row_tiles = row_tiles,
                          .tiles = tiles,
                          .part = part,
                          .terms = static_cast<int>(terms),
                          .channels = static_cast<int>(channels),
                          .sums = sums.as<float>(),
                          .wide_rows = rows % 4 == 0 && aligned(a.dy.data),
                          .wide_x = channels % 4 == 0 && aligned(a.x.data)};
    launch(kernel, static_cast<unsigned>(tiles * parts), product_threads, p);
    launch(&add_weight_parts, blocks_for(a.dweight.numel(), 256), 256, sums.as<float>(), parts, rows * terms,
           a.dweight.shape[0], a.dweight.shape[1], places, channels, a.dweight.as<float>());
  };
  if (a.dy.dtype == DType::bf16) {
    if (rows > 64) return run(&multiply_rounded_windows<128>, 128, rounded_columns);
    return run(&multiply_rounded_windows<64>, 64, rounded_columns);
  }
  with_float(a.x.dtype, "convolution_backward_weight", [&](auto of_x) {
    using T = decltype(of_x);
    if (rows > 64) return run(&multiply_turned_windows<T, 8>, 128, tile_columns);
    run(&multiply_turned_windows<T, 4>, 64, tile_columns);
  });
}

}  // namespace astroclip::cuda
