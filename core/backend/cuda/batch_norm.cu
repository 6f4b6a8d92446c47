#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/sum_pairs.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

constexpr int across = 16, down = 16;  // threads of a block along channels and rows

/// x [groups, rows, channels] in pieces of consecutive rows of a group. A block has a piece and 16 · N channels; each
/// of its threads has N channels and every 16th row.
struct Columns {
  int64_t groups, rows, channels;
  int64_t pieces, piece_rows;

  explicit Columns(const Shape& x) : groups(x[0]), rows(x[1]), channels(x[2]) {
    constexpr int64_t enough_blocks = 1024, least_rows = 8 * down;
    const int64_t wanted = std::max<int64_t>(1, enough_blocks / std::max<int64_t>(1, groups * ((channels + 63) / 64)));
    piece_rows = std::max(least_rows, (rows + wanted - 1) / wanted);
    pieces = std::max<int64_t>(1, (rows + piece_rows - 1) / piece_rows);
  }
  int64_t width() const { return groups * channels; }
};

/// What of it a thread has.
template <int N>
struct ThreadColumns {
  __device__ explicit ThreadColumns(const Columns& x)
      : piece(blockIdx.x),
        channel((int64_t{blockIdx.y} * across + threadIdx.x % across) * N),
        column(blockIdx.x / x.pieces * x.channels + channel),
        row(blockIdx.x % x.pieces * x.piece_rows + threadIdx.x / across),
        end(std::min(x.rows, (blockIdx.x % x.pieces + 1) * x.piece_rows)),
        first(blockIdx.x / x.pieces * x.rows * x.channels + channel),
        inside(channel < x.channels) {
    if (!inside) end = row;
  }
  int64_t piece;    ///< of all groups
  int64_t channel;  ///< the first of N
  int64_t column;   ///< the same in [groups, channels]
  int64_t row, end;
  int64_t first;  ///< of the elements of the group's channel
  bool inside;
};

/// Count, mean and sum of squared distances from it of numbers in each of N columns.
template <int N>
struct Moments {
  float count;
  Floats<N> mean, squares;

  /// Chan, Golub & LeVeque 1983: nothing cancels.
  __device__ void merge(const Moments& more) {
    const float total = count + more.count;
    if (total == 0.0f) return;
    const float share = more.count / total;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float apart = more.mean[i] - mean[i];
      mean[i] += apart * share;
      squares[i] += more.squares[i] + apart * apart * count * share;
    }
    count = total;
  }
};

/// The moments of `count` rows of x from `from` on, `pitch` elements apart.
template <int count, int N>
__device__ Moments<N> moments_of(const float* from, int64_t pitch) {
  Floats<N> x[count];
#pragma unroll
  for (int r = 0; r < count; ++r) x[r] = load<N>(from + r * pitch);
  Moments<N> result = {};
  result.count = count;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    float sum = 0.0f;
#pragma unroll
    for (int r = 0; r < count; ++r) sum += x[r][i];
    result.mean[i] = sum / count;
#pragma unroll
    for (int r = 0; r < count; ++r) result.squares[i] += (x[r][i] - result.mean[i]) * (x[r][i] - result.mean[i]);
  }
  return result;
}

/// partial [groups · pieces, 2, channels]: mean and sum of squares of each piece.
template <int N>
__global__ void __launch_bounds__(across* down) moments_kernel(const float* x, Columns columns, float* partial) {
  __shared__ Moments<N> of_threads[down][across];
  constexpr int at_once = 8;
  const ThreadColumns<N> at(columns);
  const int64_t pitch = columns.channels * down;
  Moments<N> moments = {};
  int64_t row = at.row;
  for (; row + (at_once - 1) * down < at.end; row += at_once * down) {
    moments.merge(moments_of<at_once, N>(x + at.first + row * columns.channels, pitch));
  }
  for (; row < at.end; row += down) moments.merge(moments_of<1, N>(x + at.first + row * columns.channels, pitch));
  of_threads[threadIdx.x / across][threadIdx.x % across] = moments;
  __syncthreads();
  if (threadIdx.x >= across || !at.inside) return;
  for (int other = 1; other < down; ++other) moments.merge(of_threads[other][threadIdx.x]);
  float* to = partial + at.piece * 2 * columns.channels + at.channel;
  store(to, moments.mean);
  store(to + columns.channels, moments.squares);
}

/// mean and variance [groups, channels] of the pieces' moments. A block has 32 channels of a group; each of its threads
/// one of them and every 32nd piece.
__global__ void __launch_bounds__(1024)
    finish_moments_kernel(const float* partial, Columns columns, unsigned tiles, float* mean, float* variance) {
  __shared__ Moments<1> of_threads[32][32];
  const int64_t group = blockIdx.x / tiles, channel = int64_t{blockIdx.x % tiles} * 32 + threadIdx.x % 32;
  Moments<1> moments = {};
  if (channel < columns.channels) {
    for (int64_t piece = threadIdx.x / 32; piece < columns.pieces; piece += 32) {
      const int64_t count = std::min(columns.piece_rows, columns.rows - piece * columns.piece_rows);
      const float* from = partial + (group * columns.pieces + piece) * 2 * columns.channels + channel;
      Moments<1> more = {};
      more.count = static_cast<float>(count);
      more.mean[0] = from[0];
      more.squares[0] = from[columns.channels];
      moments.merge(more);
    }
  }
  of_threads[threadIdx.x / 32][threadIdx.x % 32] = moments;
  __syncthreads();
  if (threadIdx.x >= 32 || channel >= columns.channels) return;
  for (int other = 1; other < 32; ++other) moments.merge(of_threads[other][threadIdx.x]);
  mean[group * columns.channels + channel] = moments.mean[0];
  variance[group * columns.channels + channel] = moments.squares[0] / static_cast<float>(columns.rows);
}

/// What each channel of the normalised values is multiplied by.
template <int N>
__device__ Floats<N> factor_of(const float* variance, const float* weight, float epsilon, const ThreadColumns<N>& at) {
  Floats<N> factor = load<N>(variance + at.column);
  const auto w = weight == nullptr ? Floats<N>{} : load<N>(weight + at.channel);
#pragma unroll
  for (int i = 0; i < N; ++i) factor[i] = (weight == nullptr ? 1.0f : w[i]) / sqrtf(factor[i] + epsilon);
  return factor;
}

template <int N>
__global__ void __launch_bounds__(across* down)
    batch_norm_kernel(const float* __restrict__ x, Columns columns, const float* mean, const float* variance,
                      const float* weight, const float* bias, float epsilon, float* __restrict__ y) {
  const ThreadColumns<N> at(columns);
  if (!at.inside) return;
  const Floats<N> centre = load<N>(mean + at.column), factor = factor_of(variance, weight, epsilon, at);
  const Floats<N> shift = bias == nullptr ? Floats<N>{} : load<N>(bias + at.channel);
#pragma unroll 4
  for (int64_t row = at.row; row < at.end; row += down) {
    const int64_t place = at.first + row * columns.channels;
    Floats<N> v = load<N>(x + place);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = (v[i] - centre[i]) * factor[i] + shift[i];
    store(y + place, v);
  }
}

/// partial [groups · pieces, 2, channels]: Σ dy · (x − mean) and Σ dy over each piece.
template <int N>
__global__ void __launch_bounds__(across* down)
    gradient_sums_kernel(const float* dy, const float* x, Columns columns, const float* mean, float* partial) {
  __shared__ Floats<N> of_threads[2][down][across];
  const ThreadColumns<N> at(columns);
  const Floats<N> centre = at.inside ? load<N>(mean + at.column) : Floats<N>{};
  Floats<N> weighted = {}, sum = {};
#pragma unroll 4
  for (int64_t row = at.row; row < at.end; row += down) {
    const int64_t place = at.first + row * columns.channels;
    const Floats<N> g = load<N>(dy + place), v = load<N>(x + place);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      weighted[i] += g[i] * (v[i] - centre[i]);
      sum[i] += g[i];
    }
  }
  of_threads[0][threadIdx.x / across][threadIdx.x % across] = weighted;
  of_threads[1][threadIdx.x / across][threadIdx.x % across] = sum;
  __syncthreads();
  if (threadIdx.x >= across || !at.inside) return;
  for (int other = 1; other < down; ++other) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      weighted[i] += of_threads[0][other][threadIdx.x][i];
      sum[i] += of_threads[1][other][threadIdx.x][i];
    }
  }
  float* to = partial + at.piece * 2 * columns.channels + at.channel;
  store(to, weighted);
  store(to + columns.channels, sum);
}

/// weighted and sum [groups, channels] are those of gradient_sums_kernel, over all pieces.
template <int N>
__global__ void __launch_bounds__(across* down)
    batch_norm_backward_kernel(const float* __restrict__ dy, const float* __restrict__ x, Columns columns,
                               const float* mean, const float* variance, const float* weight, float epsilon,
                               const float* weighted, const float* sum, float* __restrict__ dx) {
  const ThreadColumns<N> at(columns);
  if (!at.inside) return;
  const Floats<N> centre = load<N>(mean + at.column), factor = factor_of(variance, weight, epsilon, at);
  const Floats<N> inverse = factor_of<N>(variance, nullptr, epsilon, at);
  Floats<N> average = load<N>(sum + at.column), slope = load<N>(weighted + at.column);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    average[i] /= static_cast<float>(columns.rows);
    slope[i] *= inverse[i] * inverse[i] / static_cast<float>(columns.rows);
  }
#pragma unroll 4
  for (int64_t row = at.row; row < at.end; row += down) {
    const int64_t place = at.first + row * columns.channels;
    Floats<N> g = load<N>(dy + place);
    const Floats<N> v = load<N>(x + place);
#pragma unroll
    for (int i = 0; i < N; ++i) g[i] = factor[i] * (g[i] - average[i] - (v[i] - centre[i]) * slope[i]);
    store(dx + place, g);
  }
}

/// Gradients of the parameters, which all groups share, from the sums of each.
__global__ void __launch_bounds__(128)
    batch_norm_parameters_kernel(const float* weighted, const float* sum, Columns columns, const float* variance,
                                 float epsilon, float* dweight, float* dbias) {
  const int64_t channel = thread_of_grid();
  if (channel >= columns.channels) return;
  float of_weight = 0.0f, of_bias = 0.0f;
  for (int64_t at = channel; at < columns.groups * columns.channels; at += columns.channels) {
    of_weight += weighted[at] / sqrtf(variance[at] + epsilon);
    of_bias += sum[at];
  }
  dweight[channel] = of_weight;
  dbias[channel] = of_bias;
}

template <int N>
dim3 grid_of(const Columns& columns) {
  return dim3(static_cast<unsigned>(columns.groups * columns.pieces), blocks_for(columns.channels, across * N));
}

template <int N>
void batch_norm_by(const BatchNormArguments& a) {
  const Columns columns(a.x.shape);
  const Scratch partial(columns.width() * columns.pieces * 2 * size_of(DType::f32));
  const dim3 grid = grid_of<N>(columns);
  const auto epsilon = static_cast<float>(a.epsilon);
  const unsigned tiles = blocks_for(columns.channels, 32);
  launch(&moments_kernel<N>, grid, across * down, a.x.as<float>(), columns, partial.as<float>());
  launch(&finish_moments_kernel, static_cast<unsigned>(columns.groups) * tiles, 1024, partial.as<float>(), columns,
         tiles, a.mean.as<float>(), a.variance.as<float>());
  launch(&batch_norm_kernel<N>, grid, across * down, a.x.as<float>(), columns, a.mean.as<float>(),
         a.variance.as<float>(), a.weight.as<float>(), a.bias.as<float>(), epsilon, a.y.as<float>());
}

template <int N>
void batch_norm_backward_by(const BatchNormBackwardArguments& a) {
  const Columns columns(a.x.shape);
  const Scratch partial(columns.width() * columns.pieces * 2 * size_of(DType::f32));
  const Scratch sums(columns.width() * 2 * size_of(DType::f32));
  float *const weighted = sums.as<float>(), *const sum = weighted + columns.width();
  const dim3 grid = grid_of<N>(columns);
  const auto epsilon = static_cast<float>(a.epsilon);
  const auto *x = a.x.as<float>(), *dy = a.dy.as<float>(), *mean = a.mean.as<float>();
  const auto *variance = a.variance.as<float>(), *weight = a.weight.as<float>();
  launch(&gradient_sums_kernel<N>, grid, across * down, dy, x, columns, mean, partial.as<float>());
  sum_pairs(partial.as<float>(), columns.groups, columns.pieces, columns.channels, weighted, sum);
  launch(&batch_norm_backward_kernel<N>, grid, across * down, dy, x, columns, mean, variance, weight, epsilon, weighted,
         sum, a.dx.as<float>());
  if (!a.weight) return;
  launch(&batch_norm_parameters_kernel, blocks_for(columns.channels, 128), 128, weighted, sum, columns, variance,
         epsilon, a.dweight.as<float>(), a.dbias.as<float>());
}

}  // namespace

void CudaBackend::batch_norm(const BatchNormArguments& a) {
  expect_f32(a.x, "batch_norm");
  if (a.x.numel() == 0) {
    fill(a.mean, 0.0);
    fill(a.variance, 0.0);
    return;
  }
  const bool wide = aligned(a.x.data, a.weight.data, a.bias.data, a.mean.data, a.variance.data, a.y.data);
  (wide && a.x.shape[2] % 4 == 0 ? &batch_norm_by<4> : &batch_norm_by<1>)(a);
}

void CudaBackend::batch_norm_backward(const BatchNormBackwardArguments& a) {
  expect_f32(a.dy, "batch_norm_backward");
  if (a.x.numel() == 0) {
    if (a.weight) fill(a.dweight, 0.0), fill(a.dbias, 0.0);
    return;
  }
  const bool wide = aligned(a.dy.data, a.x.data, a.weight.data, a.mean.data, a.variance.data, a.dx.data);
  (wide && a.x.shape[2] % 4 == 0 ? &batch_norm_backward_by<4> : &batch_norm_backward_by<1>)(a);
}

}  // namespace astroclip::cuda
