#include <algorithm>

#include "backend/cuda/convolution.h"
#include "backend/cuda/convolution_tiles.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/tensor_core.h"

namespace astroclip::cuda {

namespace {

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

}  // namespace

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
