#include "backend/cuda/attention.h"
#include "backend/cuda/tensor_core.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

constexpr int short_width = 64;

// The second number of launch bounds below decides the speed: with more than 168 registers for a thread, a
// multiprocessor has room for one block of five warps.

struct ShortAttention {
  HeadsView q, k, v;
  MutableHeadsView y;
  float* log_sum_exp;
  int heads, pairs;  ///< pairs of sample and head
  float scale;
};

__device__ inline uint32_t packed(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}

/// Sum or Largest over the four lanes that have a row of a product.
template <class Op>
__device__ float over_quad(float x) {
  x = Op::of(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
  return Op::of(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}

/// Byte offset of 16-byte chunk `chunk` of row `row`: chunks change places so that eight rows hit all banks.
__device__ inline uint32_t swizzled(int row, int chunk) {
  return static_cast<uint32_t>(row * 128 + ((chunk ^ (row & 7)) << 4));
}

/// Where row `row`, a multiple of 8, of a matrix in shared memory begins.
__device__ inline SharedAddress row_of(SharedAddress matrix, int row) {
  return matrix + static_cast<SharedAddress>(row * 128);
}

/// The left operand of products, 16 rows.
__device__ inline void load_left(uint32_t (&left)[4][4], SharedAddress rows, int lane) {
#pragma unroll
  for (int i = 0; i < 4; ++i) load_matrices(left[i], rows + swizzled(lane % 16, i * 2 + lane / 16));
}

/// scores [16, step] = left · (`step` rows)ᵀ.
template <int step>
__device__ void multiply_turned(float (&scores)[step / 8][4], const uint32_t (&left)[4][4], SharedAddress rows,
                                int lane) {
#pragma unroll
  for (auto& part : scores) part[0] = part[1] = part[2] = part[3] = 0.0F;
#pragma unroll
  for (int n = 0; n < step / 16; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      uint32_t r[4];  // rows 0–7 then 8–15, each with the lower then the upper 8 columns
      load_matrices(r, row_of(rows + swizzled(lane % 8 + lane / 16 * 8, i * 2 + lane / 8 % 2), n * 16));
      multiply_add(scores[2 * n], left[i], r[0], r[1]);
      multiply_add(scores[2 * n + 1], left[i], r[2], r[3]);
    }
  }
}

/// results [16, 64] += weights [16, step] · (`step` rows).
template <int step>
__device__ void add_weighted(float (&results)[8][4], const float (&weights)[step / 8][4], SharedAddress rows,
                             int lane) {
#pragma unroll
  for (int n = 0; n < step / 16; ++n) {
    const uint32_t left[4] = {
        packed(weights[2 * n][0], weights[2 * n][1]), packed(weights[2 * n][2], weights[2 * n][3]),
        packed(weights[2 * n + 1][0], weights[2 * n + 1][1]), packed(weights[2 * n + 1][2], weights[2 * n + 1][3])};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      uint32_t r[4];  // rows 0–7 then 8–15, each for the lower then the upper 8 columns
      load_matrices_turned(r, row_of(rows + swizzled(lane % 16, i * 2 + lane / 16), n * 16));
      multiply_add(results[2 * i], left, r[0], r[1]);
      multiply_add(results[2 * i + 1], left, r[2], r[3]);
    }
  }
}

/// A sample and the first column of a head.
struct ShortPlace {
  int64_t batch, column;
  __device__ ShortPlace(int pair, int heads) : batch(pair / heads), column(pair % heads * short_width) {}
  __device__ const Bf16* of(const HeadsView& x) const {
    return static_cast<const Bf16*>(x.data) + batch * x.batch_stride + column;
  }
};

/// Rows from `row0` on of a head, each multiplied by its factor: through shared memory, so that they leave in pieces of
/// 16 bytes.
__device__ inline void store_tile(unsigned char* staging, const float (&results)[8][4], float upper, float lower,
                                  const MutableHeadsView& of, const ShortPlace& place, int row0, int lane) {
  __syncwarp();
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    *reinterpret_cast<uint32_t*>(staging + swizzled(lane / 4, i) + lane % 4 * 4) =
        packed(results[i][0] * upper, results[i][1] * upper);
    *reinterpret_cast<uint32_t*>(staging + swizzled(lane / 4 + 8, i) + lane % 4 * 4) =
        packed(results[i][2] * lower, results[i][3] * lower);
  }
  __syncwarp();
  Bf16* to = static_cast<Bf16*>(of.data) + place.batch * of.batch_stride + place.column;
#pragma unroll
  for (int i = lane; i < 128; i += 32) {
    const int row = i / 8, chunk = i % 8;
    if (row0 + row < of.tokens) {
      *reinterpret_cast<uint4*>(to + (row0 + row) * of.token_stride + chunk * 8) =
          *reinterpret_cast<const uint4*>(staging + swizzled(row, chunk));
    }
  }
}

/// Begins to copy a head to shared memory, all threads of the block together: `room` rows, of which those that are not
/// there become zeros.
template <int room, int threads>
__device__ void copy_head(SharedAddress to, const HeadsView& x, int pair, int heads, bool there) {
  const int tokens = there ? static_cast<int>(x.tokens) : 0, stride = static_cast<int>(x.token_stride);
  const Bf16* from = ShortPlace(there ? pair : 0, heads).of(x);
  for (int i = static_cast<int>(threadIdx.x); i < room * 8; i += threads) {
    const int row = i / 8, chunk = i % 8;
    const bool inside = row < tokens;
    copy_async(to + swizzled(row, chunk), from + (inside ? static_cast<int64_t>(row) * stride + chunk * 8 : 0), inside);
  }
}

/// A warp has 16 queries at a time, a block all keys and values of its heads. `keys_room`: keys padded to a multiple of
/// `step`, the keys per step of the running softmax.
template <int keys_room, int step, int warps, int tiles, int heads_each>
__global__ void __launch_bounds__(32 * warps * heads_each, keys_room == 64 ? 4 : 3)
    attend_short_heads(ShortAttention a) {
  constexpr int head_bytes = keys_room * 128;
  auto* memory = dynamic_shared<unsigned char>();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32, own = warp / warps;
  const int queries = static_cast<int>(a.q.tokens), keys = static_cast<int>(a.k.tokens);
  const int first = static_cast<int>(blockIdx.x) * heads_each, pair = first + own;

#pragma unroll
  for (int head = 0; head < heads_each; ++head) {
    const SharedAddress to = shared_address(memory) + head * head_bytes;
    const bool there = first + head < a.pairs;
    copy_head<keys_room, 32 * warps * heads_each>(to, a.k, first + head, a.heads, there);
    copy_head<keys_room, 32 * warps * heads_each>(to + heads_each * head_bytes, a.v, first + head, a.heads, there);
  }
  wait_for_copies();
  __syncthreads();
  if (pair >= a.pairs) return;
  const ShortPlace place(pair, a.heads);
  const SharedAddress at_keys = shared_address(memory) + own * head_bytes;
  const SharedAddress at_values = at_keys + heads_each * head_bytes;
  unsigned char* out = memory + 2 * heads_each * head_bytes + warp * 2048;
  const float scale_log2 = a.scale * 1.44269504F;

  for (int tile = 0; tile < tiles; ++tile) {
    const int row0 = (warp % warps * tiles + tile) * 16;
    if (row0 >= queries) break;
    // Queries straight into the registers of the left operand.
    uint32_t left[4][4];
    const int upper = row0 + lane / 4, lower = upper + 8;
    const Bf16* from = place.of(a.q) + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const auto word = [&](int row) {
        return row < queries ? *reinterpret_cast<const uint32_t*>(from + row * a.q.token_stride + i * 8) : 0U;
      };
      left[i / 2][i % 2 * 2] = word(upper);
      left[i / 2][i % 2 * 2 + 1] = word(lower);
    }
    float results[8][4] = {};
    float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0.0F, 0.0F};
#pragma unroll 1
    for (int start = 0; start < (step == keys_room ? 1 : keys); start += step) {
      float scores[step / 8][4];
      multiply_turned<step>(scores, left, row_of(at_keys, start), lane);
      float top[2] = {-INFINITY, -INFINITY};
      if (start + step > keys) {
#pragma unroll
        for (int n = 0; n < step / 8; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            if (start + n * 8 + lane % 4 * 2 + i % 2 >= keys) scores[n][i] = -INFINITY;
          }
        }
      }
#pragma unroll
      for (auto& part : scores) {
#pragma unroll
        for (int i = 0; i < 4; ++i) top[i / 2] = fmaxf(top[i / 2], part[i]);  // a NaN gets into the sum below
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        top[i] = fmaxf(largest[i], over_quad<Largest>(top[i]));
        const float shrink = power_of_2((largest[i] - top[i]) * scale_log2);
        largest[i] = top[i];
        sum[i] *= shrink;
#pragma unroll
        for (auto& part : results) part[2 * i] *= shrink, part[2 * i + 1] *= shrink;
      }
#pragma unroll
      for (int n = 0; n < step / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          scores[n][i] = power_of_2(fmaf(scores[n][i], scale_log2, -top[i / 2] * scale_log2));
          sum[i / 2] += scores[n][i];
        }
      }
      add_weighted<step>(results, scores, row_of(at_values, start), lane);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      sum[i] = over_quad<Sum>(sum[i]);
      const int row = i == 0 ? upper : lower;
      if (a.log_sum_exp != nullptr && lane % 4 == 0 && row < queries) {
        a.log_sum_exp[static_cast<int64_t>(pair) * queries + row] = largest[i] * a.scale + logf(sum[i]);
      }
      sum[i] = 1.0F / sum[i];
    }
    store_tile(out, results, sum[0], sum[1], a.y, place, row0, lane);
  }
}

struct ShortBackward {
  HeadsView q, k, v, y, dy;
  MutableHeadsView dq, dk, dv;
  const float* log_sum_exp;
  int heads, pairs;
  float scale;
};

/// With p = exp(scale · q kᵀ − log Σ exp) and ds = p (dy vᵀ − Σ dy·y): dq = scale · ds k, by warps that have 16 queries
/// at a time; then dv = pᵀ dy and dk = scale · dsᵀ q, by warps that have 16 keys. `room`: tokens padded to 32.
template <int room, int warps, int tiles, int heads_each>
__global__ void __launch_bounds__(32 * warps * heads_each, room > 64 ? 2 : 4)
    differentiate_short_heads(ShortBackward a) {
  constexpr int head_bytes = room * 128, step = 16, threads = 32 * warps * heads_each;
  auto* memory = dynamic_shared<unsigned char>();  // q, k, v and dy of the heads, staging, then floats of the queries
  unsigned char* staging = memory + 4 * heads_each * head_bytes;
  auto* lines = reinterpret_cast<float*>(staging + warps * heads_each * 2048);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32, own = warp / warps;
  const int queries = static_cast<int>(a.q.tokens), keys = static_cast<int>(a.k.tokens);
  const int first = static_cast<int>(blockIdx.x) * heads_each, pair = first + own;

#pragma unroll
  for (int head = 0; head < heads_each; ++head) {
    const SharedAddress to = shared_address(memory) + head * head_bytes;
    const int other = first + head;
    const bool there = other < a.pairs;
    copy_head<room, threads>(to, a.q, other, a.heads, there);
    copy_head<room, threads>(to + heads_each * head_bytes, a.k, other, a.heads, there);
    copy_head<room, threads>(to + 2 * heads_each * head_bytes, a.v, other, a.heads, there);
    const ShortPlace of_head(there ? other : 0, a.heads);
    const Bf16 *from_dy = of_head.of(a.dy), *from_y = of_head.of(a.y);
    for (int i = static_cast<int>(threadIdx.x); i < room * 8; i += threads) {
      const int row = i / 8, chunk = i % 8;
      const bool inside = there && row < queries;
      Pack<Bf16, 8> dy = {};
      float sum = 0.0F;
      if (inside) {
        dy = *reinterpret_cast<const Pack<Bf16, 8>*>(from_dy + row * a.dy.token_stride + chunk * 8);
        const Floats<8> y = load<8>(from_y + row * a.y.token_stride + chunk * 8);
#pragma unroll
        for (int j = 0; j < 8; ++j) sum = fmaf(to_float(dy.at[j]), y[j], sum);
      }
      *reinterpret_cast<Pack<Bf16, 8>*>(memory + (3 * heads_each + head) * head_bytes + swizzled(row, chunk)) = dy;
#pragma unroll
      for (int bit = 1; bit < 8; bit <<= 1) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, bit);
      if (chunk == 0) {
        // Queries that are not there weigh nothing.
        const int64_t line = static_cast<int64_t>(other) * queries + row;
        lines[head * 2 * room + row] = inside ? a.log_sum_exp[line] * 1.44269504F : INFINITY;
        lines[(head * 2 + 1) * room + row] = sum;
      }
    }
  }
  wait_for_copies();
  __syncthreads();
  if (pair >= a.pairs) return;
  const ShortPlace place(pair, a.heads);
  const SharedAddress q = shared_address(memory) + own * head_bytes, k = q + heads_each * head_bytes;
  const SharedAddress v = k + heads_each * head_bytes, dy = v + heads_each * head_bytes;
  const float* log_sum_exp = lines + own * 2 * room;
  const float* centre = log_sum_exp + room;
  staging += warp * 2048;
  const float scale_log2 = a.scale * 1.44269504F;

#pragma unroll 1
  for (int tile = 0; tile < tiles; ++tile) {
    const int row0 = (warp % warps * tiles + tile) * 16;
    if (row0 >= queries) break;
    uint32_t left_q[4][4], left_dy[4][4];
    load_left(left_q, row_of(q, row0), lane);
    load_left(left_dy, row_of(dy, row0), lane);
    const float origin[2] = {log_sum_exp[row0 + lane / 4], log_sum_exp[row0 + lane / 4 + 8]};
    const float mean[2] = {centre[row0 + lane / 4], centre[row0 + lane / 4 + 8]};
    float dq[8][4] = {};
#pragma unroll 1
    for (int start = 0; start < keys; start += step) {
      float scores[step / 8][4], ds[step / 8][4];
      multiply_turned<step>(scores, left_q, row_of(k, start), lane);
      multiply_turned<step>(ds, left_dy, row_of(v, start), lane);
#pragma unroll
      for (int n = 0; n < step / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float p = power_of_2(fmaf(scores[n][i], scale_log2, -origin[i / 2]));
          ds[n][i] = p * (ds[n][i] - mean[i / 2]);
        }
      }
      if (start + step > keys) {
#pragma unroll
        for (int n = 0; n < step / 8; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            if (start + n * 8 + lane % 4 * 2 + i % 2 >= keys) ds[n][i] = 0.0F;
          }
        }
      }
      add_weighted<step>(dq, ds, row_of(k, start), lane);
    }
    store_tile(staging, dq, a.scale, a.scale, a.dq, place, row0, lane);
  }

#pragma unroll 1
  for (int tile = 0; tile < tiles; ++tile) {
    const int row0 = (warp % warps * tiles + tile) * 16;
    if (row0 >= keys) break;
    uint32_t left_k[4][4], left_v[4][4];
    load_left(left_k, row_of(k, row0), lane);
    load_left(left_v, row_of(v, row0), lane);
    float dk[8][4] = {}, dv[8][4] = {};
#pragma unroll 1
    for (int start = 0; start < queries; start += step) {
      float p[step / 8][4], ds[step / 8][4];
      multiply_turned<step>(p, left_k, row_of(q, start), lane);
      multiply_turned<step>(ds, left_v, row_of(dy, start), lane);
#pragma unroll
      for (int n = 0; n < step / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int query = start + n * 8 + lane % 4 * 2 + i % 2;
          p[n][i] = power_of_2(fmaf(p[n][i], scale_log2, -log_sum_exp[query]));
          ds[n][i] = p[n][i] * (ds[n][i] - centre[query]);
        }
      }
      add_weighted<step>(dv, p, row_of(dy, start), lane);
      add_weighted<step>(dk, ds, row_of(q, start), lane);
    }
    store_tile(staging, dv, 1.0F, 1.0F, a.dv, place, row0, lane);
    store_tile(staging, dk, a.scale, a.scale, a.dk, place, row0, lane);
  }
}

template <int keys_room, int step, int warps, int tiles, int heads_each>
void run(const ShortAttention& a) {
  constexpr size_t shared = 2 * heads_each * keys_room * 128 + warps * heads_each * 2048;
  launch_shared(&attend_short_heads<keys_room, step, warps, tiles, heads_each>, blocks_for(a.pairs, heads_each),
                32 * warps * heads_each, shared, a);
}

template <int room, int warps, int tiles, int heads_each>
void run(const ShortBackward& a) {
  constexpr size_t shared = heads_each * (4 * room * 128 + warps * 2048 + 2 * room * sizeof(float));
  launch_shared(&differentiate_short_heads<room, warps, tiles, heads_each>, blocks_for(a.pairs, heads_each),
                32 * warps * heads_each, shared, a);
}

template <class Heads>
bool is_chunked(const Heads& x) {
  return aligned(x.data) && x.batch_stride % 8 == 0 && x.token_stride % 8 == 0;
}

template <class Arguments, class... Heads>
bool is_short(const Arguments& a, const Heads&... heads) {
  return a.dtype == DType::bf16 && a.width == short_width && std::max(a.q.tokens, a.k.tokens) <= 160 && a.scale > 0.0 &&
         (is_chunked(heads) && ...);
}

}  // namespace

bool attend_short(const AttentionArguments& a) {
  if (!is_short(a, a.q, a.k, a.v, a.y)) return false;
  const ShortAttention heads{a.q,
                             a.k,
                             a.v,
                             a.y,
                             a.log_sum_exp.as<float>(),
                             static_cast<int>(a.heads),
                             static_cast<int>(a.batch * a.heads),
                             static_cast<float>(a.scale)};
  const int64_t tokens = std::max(a.q.tokens, a.k.tokens);
  if (tokens <= 32) {
    run<32, 32, 2, 1, 4>(heads);
  } else if (tokens <= 64) {
    run<64, 64, 4, 1, 1>(heads);
  } else {
    run<160, 32, 5, 2, 1>(heads);
  }
  return true;
}

bool attend_short_backward(const AttentionBackwardArguments& a) {
  if (!is_short(a, a.q, a.k, a.v, a.y, a.dy, a.dq, a.dk, a.dv)) return false;
  const ShortBackward heads{a.q,
                            a.k,
                            a.v,
                            a.y,
                            a.dy,
                            a.dq,
                            a.dk,
                            a.dv,
                            a.log_sum_exp.as<float>(),
                            static_cast<int>(a.heads),
                            static_cast<int>(a.batch * a.heads),
                            static_cast<float>(a.scale)};
  const int64_t tokens = std::max(a.q.tokens, a.k.tokens);
  if (tokens <= 32) {
    run<32, 2, 1, 2>(heads);
  } else if (tokens <= 64) {
    run<64, 4, 1, 1>(heads);
  } else {
    run<160, 5, 2, 1>(heads);
  }
  return true;
}

}  // namespace astroclip::cuda
