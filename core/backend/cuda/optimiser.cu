#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

constexpr int update_threads = 256;

/// Arrays of many sizes for one launch, in the parameters of the kernel (4 KB at most), so that nothing is uploaded.
/// Each has the blocks from `first`, which take pieces of equal length.
template <class Segment>
struct Table {
  static constexpr int capacity = 3968 / (sizeof(Segment) + sizeof(unsigned));
  int count = 0;
  unsigned first[capacity];
  Segment segments[capacity];
};

/// Calls queue(table, blocks) with tables of all segments, of which a block takes pieces of `piece` elements.
template <class Segment, class Queue>
void by_tables(const std::vector<Segment>& segments, int64_t piece, Queue queue) {
  Table<Segment> table;
  unsigned blocks = 0;
  for (const Segment& segment : segments) {
    if (table.count == table.capacity) {
      queue(table, blocks);
      table.count = 0;
      blocks = 0;
    }
    table.first[table.count] = blocks;
    table.segments[table.count++] = segment;
    blocks += blocks_for(segment.size, piece);
  }
  queue(table, blocks);
}

/// Which segment the block belongs to: the last that begins at it or before and has blocks.
template <class Segment>
__device__ int segment_of_block(const Table<Segment>& table) {
  int low = 0, high = table.count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (table.first[middle] <= blockIdx.x) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

__device__ bool all_aligned(const float* a, const float* b) {
  return ((reinterpret_cast<uintptr_t>(a) | reinterpret_cast<uintptr_t>(b)) & 15) == 0;
}

/// Calls run(at) for each element of the block's piece, four at a time if `wide`.
template <class Segment, class Run>
__device__ void over_piece(const Table<Segment>& table, int which, int64_t piece, bool wide, Run run) {
  int64_t at = (blockIdx.x - table.first[which]) * piece;
  const int64_t end = std::min<int64_t>(table.segments[which].size, at + piece);
  if (wide) {
    const int64_t whole = end & ~int64_t{3};
    for (int64_t i = at + threadIdx.x * 4; i < whole; i += update_threads * 4) run.template operator()<4>(i);
    at = whole;
  }
  for (int64_t i = at + threadIdx.x; i < end; i += update_threads) run.template operator()<1>(i);
}

constexpr int64_t norm_piece = 32768, update_piece = 8192;

struct Gradient {
  const float* data;
  int64_t size;
};

/// partial [blocks] = sums of squares.
__global__ void __launch_bounds__(update_threads) sum_squares(const Table<Gradient> table, double* partial) {
  const int which = segment_of_block(table);
  const float* from = table.segments[which].data;
  double total = 0.0;
  over_piece(table, which, norm_piece, all_aligned(from, from), [&]<int N>(int64_t at) {
    const Floats<N> values = load<N>(from + at);
#pragma unroll
    for (int i = 0; i < N; ++i) total = fma(static_cast<double>(values[i]), static_cast<double>(values[i]), total);
  });
  total = over_block<Sum>(total);
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

/// state = {norm, factor, finite} from sums of squares, by one block.
__global__ void __launch_bounds__(1024)
    finish_clip(const double* partial, int64_t count, double max_norm, double* state) {
  double total = 0.0;
  for (int64_t i = threadIdx.x; i < count; i += 1024) total += partial[i];
  total = over_block<Sum>(total);
  if (threadIdx.x > 0) return;
  const double norm = sqrt(total), factor = max_norm / (norm + 1e-6);
  state[0] = norm;
  state[1] = max_norm > 0.0 && factor < 1.0 ? factor : 1.0;
  state[2] = norm - norm == 0.0 ? 1.0 : 0.0;
}

struct Update {
  float *parameter, *first, *second;
  const float* gradient;
  int64_t size;
  float keep, rate, correction2;
};

/// What an AdamW step multiplies by, for all segments.
struct Betas {
  float beta1, rest1, beta2, rest2, epsilon;
};

__global__ void __launch_bounds__(update_threads) adamw_step(const Table<Update> table, Betas f, const double* clip) {
  const auto share = static_cast<float>(clip[1]);
  if (clip[2] == 0.0) return;
  const int which = segment_of_block(table);
  const Update u = table.segments[which];
  const bool wide = all_aligned(u.parameter, u.gradient) && all_aligned(u.first, u.second);
  over_piece(table, which, update_piece, wide, [&]<int N>(int64_t at) {
    Floats<N> p = load<N>(u.parameter + at), m = load<N>(u.first + at), v = load<N>(u.second + at);
    const Floats<N> gradient = load<N>(u.gradient + at);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float g = gradient[i] * share;
      m[i] = fmaf(f.beta1, m[i], f.rest1 * g);
      v[i] = fmaf(f.beta2, v[i], f.rest2 * (g * g));
      const float divisor = sqrtf(v[i] * u.correction2) + f.epsilon;
      p[i] = fmaf(u.keep, p[i], -(u.rate * m[i] / divisor));
    }
    store(u.first + at, m);
    store(u.second + at, v);
    store(u.parameter + at, p);
  });
}

struct Average {
  float* target;
  const float* source;
  int64_t size;
};

__global__ void __launch_bounds__(update_threads) average_step(const Table<Average> table, float share) {
  const int which = segment_of_block(table);
  const Average average = table.segments[which];
  over_piece(table, which, update_piece, all_aligned(average.target, average.source), [&]<int N>(int64_t at) {
    Floats<N> target = load<N>(average.target + at);
    const Floats<N> source = load<N>(average.source + at);
#pragma unroll
    for (int i = 0; i < N; ++i) target[i] = fmaf(share, source[i] - target[i], target[i]);
    store(average.target + at, target);
  });
}

}  // namespace

void CudaBackend::gradient_clip(std::span<const ConstView> gradients, double max_norm, View state) {
  std::vector<Gradient> segments;
  int64_t count = 0;
  for (const ConstView& gradient : gradients) {
    expect_f32(gradient, "gradient_clip");
    segments.push_back({gradient.as<float>(), gradient.numel()});
    count += blocks_for(gradient.numel(), norm_piece);
  }
  const Scratch partial(count * static_cast<int64_t>(sizeof(double)));
  auto* next = partial.as<double>();
  by_tables(segments, norm_piece, [&](const Table<Gradient>& table, unsigned blocks) {
    launch(&sum_squares, blocks, update_threads, table, next);
    next += blocks;
  });
  launch(&finish_clip, 1, 1024, partial.as<double>(), count, max_norm, state.as<double>());
}

void CudaBackend::adamw(std::span<const AdamwSegment> segments, const AdamwStep& step) {
  std::vector<Update> updates;
  for (const AdamwSegment& segment : segments) {
    expect_f32(segment.parameter, "adamw");
    const auto steps = static_cast<double>(segment.step);
    const double correction1 = 1.0 - std::pow(step.beta1, steps), correction2 = 1.0 - std::pow(step.beta2, steps);
    updates.push_back({segment.parameter.as<float>(), segment.first_moment.as<float>(),
                       segment.second_moment.as<float>(), segment.gradient.as<float>(), segment.parameter.numel(),
                       static_cast<float>(1.0 - segment.learning_rate * segment.weight_decay),
                       static_cast<float>(segment.learning_rate / correction1), static_cast<float>(1.0 / correction2)});
  }
  const Betas betas = {static_cast<float>(step.beta1), static_cast<float>(1.0 - step.beta1),
                       static_cast<float>(step.beta2), static_cast<float>(1.0 - step.beta2),
                       static_cast<float>(step.epsilon)};
  by_tables(updates, update_piece, [&](const Table<Update>& table, unsigned blocks) {
    launch(&adamw_step, blocks, update_threads, table, betas, step.clip.as<double>());
  });
}

void CudaBackend::exponential_average(std::span<const View> targets, std::span<const ConstView> sources, double decay) {
  std::vector<Average> averages;
  for (size_t k = 0; k < targets.size(); ++k) {
    expect_f32(targets[k], "exponential_average");
    averages.push_back({targets[k].as<float>(), sources[k].as<float>(), targets[k].numel()});
  }
  by_tables(averages, update_piece, [&](const Table<Average>& table, unsigned blocks) {
    launch(&average_step, blocks, update_threads, table, static_cast<float>(1.0 - decay));
  });
}

}  // namespace astroclip::cuda
