#include <algorithm>
#include <cmath>

#include "reference.h"

namespace reference {

namespace {

__device__ double wide(float x) { return x; }
__device__ double wide(bf16 x) { return __bfloat162float(x); }

unsigned blocks_for(int64_t count, int64_t threads) { return static_cast<unsigned>((count + threads - 1) / threads); }

template <class T>
__global__ void attention_kernel(const T* qkv, int heads, int tokens, int width, double scale, double* y,
                                 double* log_sums) {
  const int pair = blockIdx.y, i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= tokens) return;
  const int64_t model = static_cast<int64_t>(heads) * width, row = 3 * model;
  const T* q = qkv + static_cast<int64_t>(pair / heads) * tokens * row + pair % heads * width;
  const T *k = q + model, *v = q + 2 * model;
  const auto score = [&](int j) {
    double sum = 0.0;
    for (int c = 0; c < width; ++c) sum += wide(q[i * row + c]) * wide(k[j * row + c]);
    return sum * scale;
  };
  double largest = -1e300, sum = 0.0;
  for (int j = 0; j < tokens; ++j) largest = fmax(largest, score(j));
  double* out = y + (static_cast<int64_t>(pair) * tokens + i) * width;
  for (int c = 0; c < width; ++c) out[c] = 0.0;
  for (int j = 0; j < tokens; ++j) {
    const double p = exp(score(j) - largest);
    sum += p;
    for (int c = 0; c < width; ++c) out[c] += p * wide(v[j * row + c]);
  }
  for (int c = 0; c < width; ++c) out[c] /= sum;
  log_sums[static_cast<int64_t>(pair) * tokens + i] = largest + log(sum);
}

/// p and ds [pairs, tokens, tokens].
template <class T>
__global__ void score_gradients_kernel(const T* qkv, const T* dy, const double* y, const double* log_sums, int heads,
                                       int tokens, int width, double scale, double* p, double* ds) {
  const int pair = blockIdx.y, i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= tokens) return;
  const int64_t model = static_cast<int64_t>(heads) * width, row = 3 * model;
  const T* q = qkv + static_cast<int64_t>(pair / heads) * tokens * row + pair % heads * width;
  const T *k = q + model, *v = q + 2 * model;
  const T* g = dy + (static_cast<int64_t>(pair / heads) * tokens + i) * model + pair % heads * width;
  const int64_t line = static_cast<int64_t>(pair) * tokens + i;
  double dot = 0.0;
  for (int c = 0; c < width; ++c) dot += wide(g[c]) * y[line * width + c];
  for (int j = 0; j < tokens; ++j) {
    double score = 0.0, dp = 0.0;
    for (int c = 0; c < width; ++c) {
      score += wide(q[i * row + c]) * wide(k[j * row + c]);
      dp += wide(g[c]) * wide(v[j * row + c]);
    }
    p[line * tokens + j] = exp(score * scale - log_sums[line]);
    ds[line * tokens + j] = p[line * tokens + j] * (dp - dot) * scale;
  }
}
template <class T>
__global__ void attention_gradients_kernel(const T* qkv, const T* dy, const double* p, const double* ds, int heads,
                                           int tokens, int width, double* dq, double* dk, double* dv) {
  const int pair = blockIdx.y, index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= tokens * width) return;
  const int i = index / width, c = index % width;
  const int64_t model = static_cast<int64_t>(heads) * width, row = 3 * model;
  const T* q = qkv + static_cast<int64_t>(pair / heads) * tokens * row + pair % heads * width;
  const T* k = q + model;
  const T* g = dy + static_cast<int64_t>(pair / heads) * tokens * model + pair % heads * width;
  const int64_t square = static_cast<int64_t>(tokens) * tokens * pair;
  double of_q = 0.0, of_k = 0.0, of_v = 0.0;
  for (int64_t j = 0; j < tokens; ++j) {
    of_q += ds[square + static_cast<int64_t>(i) * tokens + j] * wide(k[j * row + c]);
    of_k += ds[square + j * tokens + i] * wide(q[j * row + c]);
    of_v += p[square + j * tokens + i] * wide(g[j * model + c]);
  }
  const int64_t at = static_cast<int64_t>(pair) * tokens * width + index;
  dq[at] = of_q;
  dk[at] = of_k;
  dv[at] = of_v;
}

template <class T>
__global__ void gather_heads_kernel(const T* from, int heads, int tokens, int width, int64_t row, T* y) {
  const int pair = blockIdx.y, index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= tokens * width) return;
  const int64_t token = static_cast<int64_t>(pair / heads) * tokens + index / width;
  y[static_cast<int64_t>(pair) * tokens * width + index] = from[token * row + pair % heads * width + index % width];
}

/// One block a place; its threads share the sum.
template <class T>
__global__ void convolution_kernel(Convolution s, int64_t out_side, Pass pass, const T* a, const T* b,
                                   const int64_t* places, double* result) {
  __shared__ double shared[128];
  const int64_t place = places[blockIdx.x];
  double sum = 0.0;
  const auto x_at = [&](int64_t n, int64_t h, int64_t w, int64_t c) {
    return ((n * s.side + h) * s.side + w) * s.in + c;
  };
  const auto weight_at = [&](int64_t o, int64_t i, int64_t j, int64_t c) {
    return ((o * s.window + i) * s.window + j) * s.in + c;
  };
  const auto y_at = [&](int64_t n, int64_t h, int64_t w, int64_t o) {
    return ((n * out_side + h) * out_side + w) * s.out + o;
  };
  const auto inside = [](int64_t value, int64_t end) { return value >= 0 && value < end; };
  if (pass == Pass::forward) {
    const int64_t o = place % s.out, w = place / s.out % out_side, h = place / s.out / out_side % out_side,
                  n = place / s.out / out_side / out_side;
    for (int64_t t = threadIdx.x; t < s.window * s.window * s.in; t += blockDim.x) {
      const int64_t c = t % s.in, j = t / s.in % s.window, i = t / s.in / s.window;
      const int64_t y = h * s.stride - s.padding + i, x = w * s.stride - s.padding + j;
      if (inside(y, s.side) && inside(x, s.side)) sum += wide(a[x_at(n, y, x, c)]) * wide(b[weight_at(o, i, j, c)]);
    }
  } else if (pass == Pass::dx) {
    const int64_t c = place % s.in, w = place / s.in % s.side, h = place / s.in / s.side % s.side,
                  n = place / s.in / s.side / s.side;
    for (int64_t t = threadIdx.x; t < s.window * s.window * s.out; t += blockDim.x) {
      const int64_t o = t % s.out, j = t / s.out % s.window, i = t / s.out / s.window;
      const int64_t y = h + s.padding - i, x = w + s.padding - j;
      if (y % s.stride != 0 || x % s.stride != 0 || !inside(y / s.stride, out_side) || !inside(x / s.stride, out_side))
        continue;
      sum += wide(a[y_at(n, y / s.stride, x / s.stride, o)]) * wide(b[weight_at(o, i, j, c)]);
    }
  } else {
    const int64_t c = place % s.in, j = place / s.in % s.window, i = place / s.in / s.window % s.window,
                  o = place / s.in / s.window / s.window;
    for (int64_t t = threadIdx.x; t < s.batch * out_side * out_side; t += blockDim.x) {
      const int64_t w = t % out_side, h = t / out_side % out_side, n = t / out_side / out_side;
      const int64_t y = h * s.stride - s.padding + i, x = w * s.stride - s.padding + j;
      if (inside(y, s.side) && inside(x, s.side)) sum += wide(a[x_at(n, y, x, c)]) * wide(b[y_at(n, h, w, o)]);
    }
  }
  shared[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int t = 1; t < 128; ++t) sum += shared[t];
  result[blockIdx.x] = sum;
}

template <class T>
__global__ void gather_kernel(const T* from, const int64_t* places, int64_t count, T* y) {
  const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (i < count) y[i] = from[places[i]];
}

}  // namespace

template <class T>
Attention attention(const HeadShape& s, const T* qkv, const T* dy, int64_t pairs) {
  const auto h = static_cast<int>(s.heads), t = static_cast<int>(s.tokens), w = static_cast<int>(s.width);
  const dim3 lines(blocks_for(s.tokens, 64), static_cast<unsigned>(pairs)),
      cells(blocks_for(s.tokens * s.width, 128), static_cast<unsigned>(pairs));
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.width));
  const int64_t count = pairs * s.tokens * s.width;
  Attention result{Buffer<double>(count), Buffer<double>(pairs * s.tokens), {}, {}, {}};
  attention_kernel<<<lines, 64>>>(qkv, h, t, w, scale, result.y.get(), result.log_sums.get());
  check(cudaGetLastError());
  if (dy == nullptr) return result;
  const Buffer<double> p(pairs * s.tokens * s.tokens), ds(p.count());
  for (Buffer<double>* of : {&result.dq, &result.dk, &result.dv}) *of = Buffer<double>(count);
  score_gradients_kernel<<<lines, 64>>>(qkv, dy, result.y.get(), result.log_sums.get(), h, t, w, scale, p.get(),
                                        ds.get());
  attention_gradients_kernel<<<cells, 128>>>(qkv, dy, p.get(), ds.get(), h, t, w, result.dq.get(), result.dk.get(),
                                             result.dv.get());
  check(cudaGetLastError());
  return result;
}
template Attention attention(const HeadShape&, const float*, const float*, int64_t);
template Attention attention(const HeadShape&, const bf16*, const bf16*, int64_t);

template <class T>
Buffer<T> gather_heads(const HeadShape& s, const T* from, int64_t row, int64_t pairs) {
  Buffer<T> taken(pairs * s.tokens * s.width);
  gather_heads_kernel<<<dim3(blocks_for(s.tokens * s.width, 128), static_cast<unsigned>(pairs)), 128>>>(
      from, static_cast<int>(s.heads), static_cast<int>(s.tokens), static_cast<int>(s.width), row, taken.get());
  check(cudaGetLastError());
  return taken;
}
template Buffer<float> gather_heads(const HeadShape&, const float*, int64_t, int64_t);
template Buffer<bf16> gather_heads(const HeadShape&, const bf16*, int64_t, int64_t);

template <class T>
Buffer<double> convolution(const Convolution& c, Pass pass, const T* a, const T* b, const Buffer<int64_t>& places) {
  Buffer<double> result(places.count());
  convolution_kernel<<<static_cast<unsigned>(places.count()), 128>>>(c, c.out_side(), pass, a, b, places.get(),
                                                                     result.get());
  check(cudaGetLastError());
  return result;
}
template Buffer<double> convolution(const Convolution&, Pass, const float*, const float*, const Buffer<int64_t>&);
template Buffer<double> convolution(const Convolution&, Pass, const bf16*, const bf16*, const Buffer<int64_t>&);

template <class T>
Buffer<T> gather(const T* from, const Buffer<int64_t>& places) {
  Buffer<T> taken(places.count());
  gather_kernel<<<blocks_for(places.count(), 128), 128>>>(from, places.get(), places.count(), taken.get());
  check(cudaGetLastError());
  return taken;
}
template Buffer<float> gather(const float*, const Buffer<int64_t>&);
template Buffer<bf16> gather(const bf16*, const Buffer<int64_t>&);

Buffer<int64_t> some_places(int64_t size, int64_t count) {
  count = std::min(size, count);
  std::vector<int64_t> host(static_cast<size_t>(count));
  // A step that is not a multiple of any extent: all channels and borders get their turn.
  for (int64_t i = 0; i < count; ++i) host[static_cast<size_t>(i)] = (i * (size / count) + i * 17) % size;
  Buffer<int64_t> places(count);
  check(cudaMemcpy(places.get(), host.data(), places.bytes(), cudaMemcpyHostToDevice));
  return places;
}

}  // namespace reference
