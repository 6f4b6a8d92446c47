#include <algorithm>
#include <limits>
#include <type_traits>

#include "backend/attention_pool_internal.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/product_kernels.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

constexpr int lanes = 32, usual_threads = 256, most_threads = 512, most_warps = most_threads / lanes;
constexpr int N = 4;  // columns of a thread: more would leave too few registers for tokens and sums

/// How blocks go through tokens [batch, length, width] once. A block has a piece of an object's tokens. Its threads are
/// groups of whole warps: a group has all columns of some tokens, a thread the same columns of each.
struct Walk {
  int64_t batch;
  int length, width, heads;
  int pieces;  ///< of an object's tokens
  int group;   ///< threads
  __device__ int64_t object() const { return blockIdx.x / static_cast<unsigned>(pieces); }
  __device__ int begin() const { return static_cast<int>(blockIdx.x % static_cast<unsigned>(pieces)) * part(); }
  __device__ int end() const { return std::min(length, begin() + part()); }

 private:
  __device__ int part() const { return (length + pieces - 1) / pieces; }
};

/// Which part of a block's work a thread has: N columns, and in its warp one of 32 pairs of a token and a head.
template <int heads>
struct Place {
  static constexpr int tokens = lanes / heads;  ///< of a group at once
  int lane, warp, group, groups, warps, column, pitch;
  __device__ explicit Place(const Walk& walk)
      : lane(static_cast<int>(threadIdx.x) % lanes),
        warp(static_cast<int>(threadIdx.x) / lanes),
        group(static_cast<int>(threadIdx.x) / walk.group),
        groups(static_cast<int>(blockDim.x) / walk.group),
        warps(walk.group / lanes),
        column(static_cast<int>(threadIdx.x) % walk.group * N),
        pitch(walk.group * N) {}
  __device__ int token() const { return lane / heads; }
  __device__ int head() const { return lane % heads; }
  __device__ bool is_first_of_group() const { return warp == group * warps; }
};

template <class T>
using Columns = Pack<T, N>;

template <class T>
__device__ Floats<N> to_floats(const Columns<T>& pack) {
  Floats<N> values;
#pragma unroll
  for (int i = 0; i < N; ++i) values[i] = to_float(pack.at[i]);
  return values;
}

/// Puts rows of all heads into shared memory, zeros beyond heads and columns.
template <int heads>
__device__ void keep_rows(const Place<heads>& place, const Walk& walk, const float* from, int64_t stride, float* kept) {
  const int threads = static_cast<int>(blockDim.x);
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < heads * place.pitch; i += threads) {
    const int head = i / place.pitch, column = i % place.pitch;
    kept[i] = head < walk.heads && column < walk.width ? from[head * stride + column] : 0.0f;
  }
}

/// step(first, count, known, product, values) for the group's next tokens: `product` is that of the lane's token with
/// the lane's head, of rows in shared memory; `known` is what early(first, count) gave before tokens were there.
template <class T, int heads, class Early, class Step>
__device__ void each_tile(const Place<heads>& place, const Walk& walk, const T* tokens, const float* rows, Early early,
                          Step step) {
  constexpr int at_once = Place<heads>::tokens;
  constexpr bool ahead = sizeof(T) == 2;  // registers are left for the tokens after these
  __shared__ float sums[2][most_warps][lanes];
  const T* x = tokens + walk.object() * walk.length * walk.width + place.column;
  const int end = walk.end(), stride = place.groups * at_once;
  const auto fetch = [&](int first, Columns<T>* values) {
    const int count = place.column < walk.width ? end - first : 0;
#pragma unroll
    for (int i = 0; i < at_once; ++i) {
      values[i] = Columns<T>{};
      if (i < count) values[i] = *reinterpret_cast<const Columns<T>*>(x + (int64_t{first} + i) * walk.width);
    }
  };
  Columns<T> values[at_once], coming[ahead ? at_once : 1];
  fetch(walk.begin() + place.group * at_once, values);
  int turn = 0;
  for (int tile = walk.begin(); tile < end; tile += stride, turn ^= 1) {
    const int first = tile + place.group * at_once;
    if constexpr (ahead) fetch(first + stride, coming);
    const float known = early(first);
    float products[lanes];
#pragma unroll
    for (int h = 0; h < heads; h += 4) {
      Floats<N> by[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) by[k] = load<N>(rows + (h + k) * place.pitch + place.column);
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const Floats<N> v = to_floats(values[i]);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          float sum = 0.0f;
#pragma unroll
          for (int j = 0; j < N; ++j) sum += v[j] * by[k][j];
          products[i * heads + h + k] = sum;
        }
      }
    }
    sum_over_warp<lanes>(products);
    sums[turn][place.warp][place.lane] = products[0];
    __syncthreads();
    float product = 0.0f;
    for (int i = 0; i < place.warps; ++i) product += sums[turn][place.group * place.warps + i][place.lane];
    step(first, known, product, values);
    if constexpr (ahead) {
#pragma unroll
      for (int i = 0; i < at_once; ++i) values[i] = coming[i];
    } else {
      fetch(first + stride, values);
    }
  }
}

/// sums[h] += Σ_i shares[i, h] · token i
template <class T, int heads>
__device__ void add_tokens(const float* shares, const Columns<T>* values, Floats<N>* sums) {
#pragma unroll
  for (int i = 0; i < lanes / heads; ++i) {
    const Floats<N> v = to_floats(values[i]);
#pragma unroll
    for (int h = 0; h < heads; h += 4) {
      const Floats<4> by = load<4>(shares + i * heads + h);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
#pragma unroll
        for (int j = 0; j < N; ++j) sums[h + k][j] += by[k] * v[j];
      }
    }
  }
}

/// The first group gets the sums over all groups and writes those of each head to y + head · stride.
template <int heads>
__device__ void write_sums(const Place<heads>& place, const Walk& walk, Floats<N>* sums, float* shared, float* y,
                           int64_t stride) {
#pragma unroll
  for (int h = 0; h < heads; ++h) {
    if (h >= walk.heads) break;
    __syncthreads();  // the memory may still be read
    if (place.group > 0) store<N>(shared + place.group * place.pitch + place.column, sums[h]);
    __syncthreads();
    if (place.group > 0 || place.column >= walk.width) continue;
    for (int other = 1; other < place.groups; ++other) {
      const Floats<N> more = load<N>(shared + other * place.pitch + place.column);
#pragma unroll
      for (int j = 0; j < N; ++j) sums[h][j] += more[j];
    }
    store<N>(y + h * stride + place.column, sums[h]);
  }
}

/// Sum or Largest over the lanes of a head.
template <class Op, int heads>
__device__ float over_tokens(float x) {
#pragma unroll
  for (int step = heads; step < lanes; step *= 2) x = Op::of(x, __shfl_xor_sync(0xFFFFFFFFu, x, step));
  return x;
}

/// What is subtracted from scores, of which `top` is the largest: −∞ adds nothing.
__device__ inline float base_of(float top) { return top == -INFINITY ? 0.0f : top; }

/// Where a block leaves its part of an object's result: sums [heads, width] of exp(score − top) · token, and top and
/// the sum of exp(score − top) of each head. Of one piece, the sums are divided and there is neither top nor sum.
struct Parts {
  float* sums;
  float* tops;   ///< [blocks, heads]
  float* norms;  ///< likewise
};

template <class T, int heads>
__global__ void __launch_bounds__(most_threads)
    pool_kernel(Walk walk, const T* tokens, const float* queries, float* weights, float* y, Parts parts) {
  __shared__ __align__(16) float shares[most_warps][lanes], shrinks[most_warps][heads];
  __shared__ float tops[most_warps][heads], norms[most_warps][heads], bases[heads], factors[heads];
  auto* rows = dynamic_shared<float>();
  const Place<heads> place(walk);
  keep_rows(place, walk, queries, walk.width, rows);
  __syncthreads();

  float* scores = weights == nullptr ? nullptr : weights + walk.object() * walk.heads * walk.length;
  const int end = walk.end();
  Floats<N> sums[heads] = {};
  float top = -INFINITY, norm = 0.0f;
  const auto step = [&](int first, float, float product, const Columns<T>* values) {
    const int token = first + place.token(), head = place.head();
    if (scores != nullptr && place.is_first_of_group() && token < end && head < walk.heads) {
      scores[int64_t{head} * walk.length + token] = product;
    }
    const float score = token < end ? product : -INFINITY;
    const float risen = larger(top, over_tokens<Largest, heads>(score)), base = base_of(risen);
    const float shrink = expf(top - base), share = expf(score - base);
    top = risen;
    norm = norm * shrink + share;
    shares[place.warp][place.lane] = share;
    if (place.token() == 0) shrinks[place.warp][head] = shrink;
    __syncwarp();
#pragma unroll
    for (int h = 0; h < heads; ++h) {
      const float by = shrinks[place.warp][h];
#pragma unroll
      for (int j = 0; j < N; ++j) sums[h][j] *= by;
    }
    add_tokens<T, heads>(shares[place.warp], values, sums);
  };
  each_tile(
      place, walk, tokens, rows, [](int) { return 0.0f; }, step);

  norm = over_tokens<Sum, heads>(norm);
  if (place.is_first_of_group() && place.token() == 0) {
    tops[place.group][place.head()] = top;
    norms[place.group][place.head()] = norm;
  }
  __syncthreads();
  if (const int head = static_cast<int>(threadIdx.x); head < heads) {
    float most = -INFINITY, all = 0.0f;
    for (int i = 0; i < place.groups; ++i) most = larger(most, tops[i][head]);
    for (int i = 0; i < place.groups; ++i) all += norms[i][head] * expf(tops[i][head] - base_of(most));
    bases[head] = base_of(most);
    factors[head] = walk.pieces == 1 ? 1.0f / all : 1.0f;
    if (walk.pieces > 1 && head < walk.heads) {
      parts.tops[int64_t{blockIdx.x} * walk.heads + head] = most;
      parts.norms[int64_t{blockIdx.x} * walk.heads + head] = all;
    }
  }
  __syncthreads();
#pragma unroll
  for (int h = 0; h < heads; ++h) {
    const float by = expf(tops[place.group][h] - bases[h]) * factors[h];
#pragma unroll
    for (int j = 0; j < N; ++j) sums[h][j] *= by;
  }
  if (walk.pieces > 1) {
    float* to = parts.sums + int64_t{blockIdx.x} * walk.heads * walk.width;
    return write_sums(place, walk, sums, rows, to, walk.width);
  }
  write_sums(place, walk, sums, rows, y + walk.object() * walk.width, walk.batch * walk.width);
  if (scores == nullptr) return;
  const int threads = static_cast<int>(blockDim.x);
  for (int head = 0; head < walk.heads; ++head) {
    float* of_head = scores + int64_t{head} * walk.length;
    for (int i = static_cast<int>(threadIdx.x); i < walk.length; i += threads) {
      of_head[i] = expf(of_head[i] - bases[head]) * factors[head];
    }
  }
}

/// Of one object and head: the result from those of the pieces, and weights from scores.
__global__ void __launch_bounds__(usual_threads) join_kernel(Walk walk, Parts parts, float* weights, float* y) {
  const int64_t object = blockIdx.x, head = blockIdx.y;
  const auto of_piece = [&](int piece) { return (object * walk.pieces + piece) * walk.heads + head; };
  float most = -INFINITY, all = 0.0f;
  for (int i = 0; i < walk.pieces; ++i) most = larger(most, parts.tops[of_piece(i)]);
  const float base = base_of(most);
  for (int i = 0; i < walk.pieces; ++i) all += parts.norms[of_piece(i)] * expf(parts.tops[of_piece(i)] - base);
  const float factor = 1.0f / all;
  for (int column = static_cast<int>(threadIdx.x); column < walk.width; column += usual_threads) {
    float sum = 0.0f;
    for (int i = 0; i < walk.pieces; ++i) {
      sum += parts.sums[of_piece(i) * walk.width + column] * expf(parts.tops[of_piece(i)] - base);
    }
    y[(head * walk.batch + object) * walk.width + column] = sum * factor;
  }
  if (weights == nullptr) return;
  float* scores = weights + (object * walk.heads + head) * walk.length;
  for (int i = static_cast<int>(threadIdx.x); i < walk.length; i += usual_threads) {
    scores[i] = expf(scores[i] - base) * factor;
  }
}

/// With dA[h, t] = dy[h] · x[t]: dS = A (dA − Σ_t A dA), where the sum is dy[h] · y[h], and of each block
/// dqueries[h] = Σ_t dS x[t], with `dtokens` also dx[t] = Σ_h A dy[h] + dS query[h].
template <class T>
struct PoolBackward {
  const float* dy;
  const T* tokens;
  const float *queries, *y, *weights;
  float* parts;  ///< [blocks, heads, width]; optional
  T* dtokens;
};

template <class T, int heads, bool of_tokens>
__global__ void __launch_bounds__(most_threads) pool_backward_kernel(Walk walk, PoolBackward<T> a) {
  __shared__ __align__(16) float shares[most_warps][lanes], known_weights[of_tokens ? most_warps : 1][lanes];
  __shared__ float means[most_warps][heads];
  auto* rows = dynamic_shared<float>();
  const Place<heads> place(walk);
  float* query_rows = rows + heads * place.pitch;
  const int64_t of_object = walk.object() * walk.width, of_head = walk.batch * walk.width;
  keep_rows(place, walk, a.dy + of_object, of_head, rows);
  if constexpr (of_tokens) keep_rows(place, walk, a.queries, walk.width, query_rows);
  __syncthreads();
#pragma unroll
  for (int h = 0; h < heads; ++h) {
    float sum = 0.0f;
    if (h < walk.heads && place.column < walk.width) {
      const Floats<N> dy = load<N>(rows + h * place.pitch + place.column);
      const Floats<N> y = load<N>(a.y + of_object + h * of_head + place.column);
#pragma unroll
      for (int j = 0; j < N; ++j) sum += dy[j] * y[j];
    }
    sum = over_warp<Sum>(sum);
    if (place.lane == 0) means[place.warp][h] = sum;
  }
  __syncthreads();
  float mean = 0.0f;
  for (int i = 0; i < place.warps; ++i) mean += means[place.group * place.warps + i][place.head()];

  const float* weights = a.weights + (walk.object() * walk.heads + place.head()) * walk.length;
  const int end = walk.end();
  const auto is_there = [&](int first) { return first + place.token() < end && place.head() < walk.heads; };
  const auto weight = [&](int first) { return is_there(first) ? weights[first + place.token()] : 0.0f; };
  Floats<N> sums[heads] = {};
  const auto step = [&](int first, float known, float product, const Columns<T>* values) {
    shares[place.warp][place.lane] = is_there(first) ? known * (product - mean) : 0.0f;
    if constexpr (of_tokens) known_weights[place.warp][place.lane] = known;
    __syncwarp();
    add_tokens<T, heads>(shares[place.warp], values, sums);
    if constexpr (of_tokens) {
      constexpr int at_once = Place<heads>::tokens;
      Floats<N> dx[at_once] = {};
#pragma unroll
      for (int h = 0; h < heads; ++h) {
        const Floats<N> dy = load<N>(rows + h * place.pitch + place.column);
        const Floats<N> query = load<N>(query_rows + h * place.pitch + place.column);
#pragma unroll
        for (int i = 0; i < at_once; ++i) {
          const float by = known_weights[place.warp][i * heads + h], share = shares[place.warp][i * heads + h];
#pragma unroll
          for (int j = 0; j < N; ++j) dx[i][j] += by * dy[j] + share * query[j];
        }
      }
      T* to = a.dtokens + (walk.object() * walk.length + first) * walk.width + place.column;
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        if (first + i < end && place.column < walk.width) store<N>(to + int64_t{i} * walk.width, dx[i]);
      }
    }
  };
  each_tile(place, walk, a.tokens, rows, weight, step);
  if (a.parts == nullptr) return;
  write_sums(place, walk, sums, rows, a.parts + int64_t{blockIdx.x} * walk.heads * walk.width, walk.width);
}

/// The shape of a launch; false where the kernels have no place for the sizes.
struct Plan {
  Walk walk = {};
  unsigned blocks = 0, threads = 0;
  size_t shared = 0;

  /// `kept`: arrays [most_heads, width] in shared memory.
  bool make(ConstView tokens, int64_t head_count, int most_heads, int kept) {
    constexpr int64_t most_shared = 96 << 10, most_length = 1 << 30, least_tokens = 64, enough_blocks = 256;
    const int64_t batch = tokens.shape[0], length = tokens.shape[1], width = tokens.shape[2];
    const int64_t group = (width / N + lanes - 1) / lanes * lanes, groups = std::max<int64_t>(1, usual_threads / group);
    const int64_t bytes = std::max<int64_t>(most_heads * kept, groups) * group * N * size_of(DType::f32);
    if (width % N != 0 || group > most_threads || bytes > most_shared || length > most_length) return false;
    const int64_t pieces = std::clamp<int64_t>(enough_blocks / batch, 1, std::max<int64_t>(1, length / least_tokens));
    if (batch * pieces > std::numeric_limits<int>::max()) return false;
    walk = {batch,
            static_cast<int>(length),
            static_cast<int>(width),
            static_cast<int>(head_count),
            static_cast<int>(pieces),
            static_cast<int>(group)};
    blocks = static_cast<unsigned>(batch * pieces);
    threads = static_cast<unsigned>(group * groups);
    shared = static_cast<size_t>(bytes);
    return true;
  }
};

/// Calls body with the number of heads that a kernel is made for; false if there is none.
template <class Body>
bool with_heads(int64_t heads, Body body) {
  if (heads <= 4) return body(std::integral_constant<int, 4>{});
  if (heads <= 8) return body(std::integral_constant<int, 8>{});
  return heads <= 16 && body(std::integral_constant<int, 16>{});
}

template <class T, int heads>
bool try_pool(const AttentionPoolArguments& a) {
  Plan plan;
  if (!plan.make(a.tokens, a.queries.shape[0], heads, 1)) return false;
  const bool joins = plan.walk.pieces > 1;
  const int64_t sums = joins ? a.y.numel() * plan.walk.pieces : 0,
                norms = joins ? plan.blocks * int64_t{plan.walk.heads} : 0;
  const Scratch scratch((sums + 2 * norms) * size_of(DType::f32));
  auto* memory = scratch.as<float>();
  const Parts parts = {memory, memory + sums, memory + sums + norms};
  auto* weights = a.weights.as<float>();
  launch_shared(&pool_kernel<T, heads>, plan.blocks, plan.threads, plan.shared, plan.walk, a.tokens.as<T>(),
                a.queries.as<float>(), weights, a.y.as<float>(), parts);
  const dim3 grid(static_cast<unsigned>(plan.walk.batch), static_cast<unsigned>(plan.walk.heads));
  if (joins) launch(&join_kernel, grid, usual_threads, plan.walk, parts, weights, a.y.as<float>());
  return true;
}

template <class T, int heads, bool of_tokens>
bool try_pool_backward(const AttentionPoolBackwardArguments& a) {
  Plan plan;
  if (!plan.make(a.tokens, a.queries.shape[0], heads, of_tokens ? 2 : 1)) return false;
  const int64_t size = a.dqueries.numel();
  const Scratch parts(plan.blocks * size * size_of(DType::f32));
  launch_shared(&pool_backward_kernel<T, heads, of_tokens>, plan.blocks, plan.threads, plan.shared, plan.walk,
                PoolBackward<T>{a.dy.as<float>(), a.tokens.as<T>(), a.queries.as<float>(), a.y.as<float>(),
                                a.weights.as<float>(), a.dqueries ? parts.as<float>() : nullptr, a.dtokens.as<T>()});
  if (a.dqueries) sum_columns(parts.data(), DType::f32, plan.blocks, size, a.dqueries.as<float>());
  return true;
}

}  // namespace

void CudaBackend::attention_pool(const AttentionPoolArguments& a) {
  if (a.y.numel() == 0) return;
  if (a.tokens.numel() == 0) return fill(a.y, 0.0);
  bool queued = false;
  if (aligned(a.tokens.data, a.y.data)) {
    with_float(a.tokens.dtype, "attention_pool", [&](auto type) {
      queued = with_heads(a.queries.shape[0], [&](auto heads) { return try_pool<decltype(type), heads>(a); });
    });
  }
  if (!queued) attention_pool_by_products(*this, Device{DeviceKind::cuda}, a);
}

void CudaBackend::attention_pool_backward(const AttentionPoolBackwardArguments& a) {
  if (a.tokens.numel() == 0 || a.queries.numel() == 0) {
    if (a.dqueries) fill(a.dqueries, 0.0);
    if (a.dtokens) fill(a.dtokens, 0.0);
    return;
  }
  bool queued = false;
  if (aligned(a.tokens.data, a.y.data, a.dtokens.data)) {
    with_float(a.tokens.dtype, "attention_pool_backward", [&](auto type) {
      using T = decltype(type);
      queued = with_heads(a.queries.shape[0], [&](auto heads) {
        return a.dtokens ? try_pool_backward<T, heads, true>(a) : try_pool_backward<T, heads, false>(a);
      });
    });
  }
  if (!queued) attention_pool_backward_by_products(*this, Device{DeviceKind::cuda}, a);
}

}  // namespace astroclip::cuda
