#include <algorithm>

#include "backend/cuda/gelu_product_kernel.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/warpgroup.h"

namespace astroclip::cuda {

namespace {

// A multiprocessor has one block of three warpgroups. The first copies tiles of both operands into a ring of stages.
// The other two take turns: while one multiplies, which keeps the tensor cores busy, the other ends its product: bias,
// GELU, rounding, copy to y. The two blocks of a cluster compute neighbouring columns; each loads half of the rows of x
// that both need.

constexpr int depth = GeluTiles::depth;
constexpr int stages = 4, parts = GeluTiles::rows / 64;
constexpr int x_bytes = GeluTiles::rows * depth * 2, stage_bytes = x_bytes + GeluTiles::columns * depth * 2;

/// What a warp writes at once, of which it has two.
constexpr int box_bytes = GeluTiles::store_rows * depth * 2, boxes = 2;

struct Barriers {
  uint64_t full[stages], free[stages], turn[2];
};
/// Places in shared memory.
constexpr int boxes_at = stages * stage_bytes, bias_at = boxes_at + 8 * boxes * box_bytes,
              barriers_at = bias_at + 2 * 2 * GeluTiles::columns * static_cast<int>(sizeof(float)),
              shared_bytes = barriers_at + static_cast<int>(sizeof(Barriers));

/// x Φ(x) of h = x / 2, within 4e-6 max(1, |x|), little beside the rounding to bf16: max(x, 0) − |x| Φ(−|x|), where
/// log₂ Φ is a polynomial fitted for the least maximum of that error. Written so that −∞ gives NaN, as −∞ · 0 does.
__device__ inline float gelu_of_half(float h) {
  const float a = fminf(fabsf(h), 5.0f);
  float exponent = 0.06689273f;
  exponent = fmaf(exponent, a, -0.36433047f);
  exponent = fmaf(exponent, a, -1.8633693f);
  exponent = fmaf(exponent, a, -2.2970805f);
  exponent = fmaf(exponent, a, -0.0003019664f);
  return fmaf(-a, power_of_2(exponent), h + fabsf(h));
}

/// A place in the ring, and the parity of the round.
struct Place {
  int stage = 0;
  unsigned parity = 0;
  __device__ void advance(int steps) {
    const int sum = stage + steps;
    stage = sum % stages;
    parity ^= sum / stages & 1;
  }
};

__device__ inline SharedAddress of_stage(SharedAddress first, int stage) {
  return first + static_cast<SharedAddress>(stage * 8);
}

/// tiles [row tiles, column_tiles], of both blocks of a cluster. steps: stages for a tile.
__global__ void __launch_bounds__(3 * warpgroup, 1)
    gelu_product_kernel(const __grid_constant__ TileMap x, const __grid_constant__ TileMap weight,
                        const __grid_constant__ TileMap y, const float* bias, int out, int steps, int column_tiles,
                        int tiles) {
  unsigned char* shared = dynamic_shared<unsigned char>();
  const SharedAddress base = shared_address(shared), full = base + barriers_at, free = full + stages * 8,
                      turn = free + stages * 8;
  const auto rank = static_cast<int>(rank_in_cluster());
  if (threadIdx.x == 0) {
    constexpr unsigned warps = 4;
    for (int i = 0; i < stages; ++i) {
      make_barrier(of_stage(full, i), 1);
      make_barrier(of_stage(free, i), 2 * warps);
    }
    make_barrier(turn, warps);
    make_barrier(turn + 8, warps);
    show_barriers();
  }
  meet_cluster();
  const int first = static_cast<int>(blockIdx.x / 2), stride = static_cast<int>(gridDim.x / 2);
  const auto row_of = [&](int tile) { return tile / column_tiles * GeluTiles::rows; };
  const auto column_of = [&](int tile) { return (tile % column_tiles * 2 + rank) * GeluTiles::columns; };
  const int group = __shfl_sync(0xFFFFFFFFu, static_cast<int>(threadIdx.x / warpgroup), 0);
  if (group == 0) {
    keep_registers<24>();
    if (threadIdx.x == 0) {
      Place at;
      for (int tile = first; tile < tiles; tile += stride) {
        const int row = row_of(tile) + rank * GeluTiles::load_rows, column = column_of(tile);
        for (int k = 0; k < steps; ++k, at.advance(1)) {
          const SharedAddress stage = base + static_cast<SharedAddress>(at.stage * stage_bytes);
          const SharedAddress barrier = of_stage(full, at.stage);
          wait_for_phase(of_stage(free, at.stage), at.parity ^ 1);
          arrive_expecting(barrier, stage_bytes);
          load_tile_for_both(x, row, k * depth, stage + static_cast<SharedAddress>(rank * (x_bytes / 2)), barrier);
          load_tile(weight, column, k * depth, stage + x_bytes, barrier);
        }
      }
    }
  } else {
    take_registers<240>();
    const int me = group - 1, thread = static_cast<int>(threadIdx.x) % warpgroup, lane = thread % 32,
              warp = thread / 32;
    const SharedAddress free_of_lane = address_in(lane % 2, free);  // lanes 0 and 1 tell both blocks
    const auto release = [&](int stage) {
      if (lane < 2) arrive_at(of_stage(free_of_lane, stage));
    };
    const SharedAddress box = base + static_cast<SharedAddress>(boxes_at + (me * 4 + warp) * boxes * box_bytes);
    float sums[parts][GeluTiles::columns / 2];
    Place at;
    int number = 0;
    unsigned own = 0;
    for (int tile = first; tile < tiles; tile += stride, ++number) {
      if (number % 2 != me) {
        at.advance(steps);
        continue;
      }
      const int row = row_of(tile), column = column_of(tile);
      const float of_thread = bias != nullptr && column + thread < out ? bias[column + thread] : 0.0f;
      wait_for_phase(turn + static_cast<SharedAddress>(me * 8), (own + (me == 0)) % 2);
      for (int k = 0, last = 0; k < steps; ++k) {
        wait_for_phase(of_stage(full, at.stage), at.parity);
        const SharedAddress stage = base + static_cast<SharedAddress>(at.stage * stage_bytes);
        const TileRows a = tile_rows(stage), b = tile_rows(stage + x_bytes);
        begin_products();
#pragma unroll
        for (int i = 0; i < depth / 16; ++i) {
#pragma unroll
          for (int part = 0; part < parts; ++part) {
            multiply(sums[part], shifted(a, part * 64 * 128 + i * 32), shifted(b, i * 32), k + i > 0);
          }
        }
        end_products();
        wait_for_products<1>();
        if (k > 0) release(last);
        last = at.stage;
        at.advance(1);
        if (k + 1 < steps) continue;
        if (lane == 0) arrive(turn + static_cast<SharedAddress>((1 - me) * 8));
        wait_for_products<0>();
        release(last);
      }
      // One of two places, so that a warp may write while another still reads the other.
      float* of_tile = reinterpret_cast<float*>(shared + bias_at) + (me * 2 + own % 2) * GeluTiles::columns;
      of_tile[thread] = 0.5f * of_thread;
      me == 0 ? meet_warpgroup<1>() : meet_warpgroup<2>();
      ++own;
#pragma unroll
      for (int i = 0; i < GeluTiles::columns / 64 * parts; ++i) {
        const int part = i % parts, columns = i / parts * 64;
        uint32_t pairs[4][4];
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          const auto [b0, b1] =  // halves of the bias
              *reinterpret_cast<const float2*>(of_tile + columns + j * 8 + lane % 4 * 2);
          const float* s = sums[part] + columns / 2 + j * 4;
#pragma unroll
          for (int h = 0; h < 2; ++h) {
            const __nv_bfloat162 pair = __floats2bfloat162_rn(gelu_of_half(fmaf(s[2 * h], 0.5f, b0)),
                                                              gelu_of_half(fmaf(s[2 * h + 1], 0.5f, b1)));
            memcpy(&pairs[j / 2][j % 2 * 2 + h], &pair, sizeof pair);
          }
        }
        const SharedAddress to = box + static_cast<SharedAddress>(i % boxes * box_bytes);
        if (lane == 0) wait_for_stores<boxes - 1>();
        __syncwarp();
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int chunk = 2 * j + lane / 16;
          store_matrices(to + static_cast<SharedAddress>(lane % 16 * 128 + ((chunk ^ lane % 8) << 4)), pairs[j]);
        }
        show_to_copies();
        __syncwarp();
        if (lane == 0) store_tile(y, row + part * 64 + warp * GeluTiles::store_rows, column + columns, to);
      }
    }
    if (lane == 0) wait_for_stores<0>();
  }
  meet_cluster();  // a block whose shared memory the other still writes must not end
}

}  // namespace

void queue_gelu_product(const GeluTiles& tiles, const float* bias, int64_t rows, int64_t out, int64_t in) {
  static const int processors = [] {
    int count = 0;
    ASTROCLIP_CUDA(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, Card::get().index()));
    return count;
  }();
  const int64_t column_tiles = (out + 2 * GeluTiles::columns - 1) / (2 * GeluTiles::columns);
  const int64_t count = (rows + GeluTiles::rows - 1) / GeluTiles::rows * column_tiles;
  // How many clusters share the tiles does not change the results.
  const auto clusters = static_cast<unsigned>(std::min<int64_t>(count, processors / 2));
  launch_clusters(&gelu_product_kernel, 2, clusters * 2, 3 * warpgroup, shared_bytes, tiles.x, tiles.weight, tiles.y,
                  bias, static_cast<int>(out), static_cast<int>((in + depth - 1) / depth),
                  static_cast<int>(column_tiles), static_cast<int>(count));
}

}  // namespace astroclip::cuda
