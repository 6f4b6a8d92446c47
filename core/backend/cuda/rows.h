#pragma once

#include "backend/cuda/vector.h"

/// Kernels on each row of an array [rows, width]: a warp has a row of up to 1,024 elements in its registers, a block
/// goes through a wider one. A Body has `run<Rows>(row, width)`, which all threads of a row call.
namespace astroclip::cuda {

/// A warp for each row. Its threads hold up to `items` elements each, N consecutive ones at a time. `full` rows have
/// 32 · items.
template <int items, int N, bool full = false>
struct WarpRows {
  static constexpr int vector = N, threads = 256, rows_of_block = threads / 32;
  __device__ static int64_t row() { return static_cast<int64_t>(blockIdx.x) * rows_of_block + threadIdx.x / 32; }
  __device__ static bool leads() { return threadIdx.x % 32 == 0; }
  template <class Op>
  __device__ static float over(float x) {
    return over_warp<Op>(x);
  }
  /// visit(slot, column) for the first of each N elements of this thread.
  template <class Visit>
  __device__ static void each(int width, Visit visit) {
#pragma unroll
    for (int slot = 0; slot < items / N; ++slot) {
      const int column = (slot * 32 + static_cast<int>(threadIdx.x % 32)) * N;
      if (full || column < width) visit(slot, column);
    }
  }
  /// A row that is read once and then used any number of times.
  template <class T>
  class Input {
   public:
    __device__ Input(const T* from, int width) {
      each(width, [&](int slot, int column) { values_[slot] = load<N>(from + column); });
    }
    __device__ Floats<N> operator()(int slot, int) const { return values_[slot]; }

   private:
    Floats<N> values_[items / N];
  };
};

/// A block for each row, which is read at each use.
template <int block, int N>
struct BlockRows {
  static constexpr int vector = N, threads = block, rows_of_block = 1;
  __device__ static int64_t row() { return blockIdx.x; }
  __device__ static bool leads() { return threadIdx.x == 0; }
  template <class Op>
  __device__ static float over(float x) {
    return over_block<Op>(x);
  }
  template <class Visit>
  __device__ static void each(int width, Visit visit) {
    for (int column = static_cast<int>(threadIdx.x) * N; column < width; column += block * N) visit(0, column);
  }
  template <class T>
  class Input {
   public:
    __device__ Input(const T* from, int) : from_(from) {}
    __device__ Floats<N> operator()(int, int column) const { return load<N>(from_ + column); }

   private:
    const T* from_;
  };
};

template <class Rows, class Body>
__global__ void __launch_bounds__(Rows::threads) each_row(int64_t rows, int width, Body body) {
  const int64_t row = Rows::row();
  if (row < rows) body.template run<Rows>(row, width);
}

template <class Rows, class Body>
void launch_rows(int64_t rows, int64_t width, const Body& body) {
  launch(&each_row<Rows, Body>, blocks_for(rows, Rows::rows_of_block), Rows::threads, rows, static_cast<int>(width),
         body);
}

template <int N, class Body>
void for_rows_by(int64_t rows, int64_t width, const Body& body) {
  if (width <= 256) return launch_rows<WarpRows<8, N>>(rows, width, body);
  if (width <= 1024) return launch_rows<WarpRows<32, N>>(rows, width, body);
  if (width <= 16384) return launch_rows<BlockRows<256, N>>(rows, width, body);
  launch_rows<BlockRows<1024, N>>(rows, width, body);
}

/// Queues Body for every row, `wide` if all pointers are aligned(). Nothing happens to rows of no elements.
template <class Body>
void for_rows(int64_t rows, int64_t width, bool wide, const Body& body) {
  if (width == 0) return;
  if (wide && width % 4 == 0) return for_rows_by<4>(rows, width, body);
  for_rows_by<1>(rows, width, body);
}

/// Rows of an array [..., width].
inline int64_t rows_of(const Shape& shape) { return shape[-1] == 0 ? 0 : shape.numel() / shape[-1]; }

}  // namespace astroclip::cuda
