#include <algorithm>
#include <bit>

#include "backend/backend.h"
#include "backend/cuda/gelu.h"
#include "backend/cuda/product_kernels.h"
#include "backend/cuda/scratch.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

constexpr unsigned threads = 256;

/// Blocks for rows of `groups` groups of columns: x over groups, y over rows, `rows_each` for each thread.
struct Tiles {
  Tiles(int64_t rows, int64_t groups, int64_t rows_each) {
    const auto wanted = static_cast<uint64_t>(std::clamp<int64_t>(groups, 1, threads));
    block.x = static_cast<unsigned>(std::bit_ceil(wanted));
    block.y = threads / block.x;
    constexpr unsigned most = 65535;  // further rows by strides
    grid.x = blocks_for(groups, block.x);
    grid.y = static_cast<unsigned>(std::min<int64_t>(blocks_for(rows, block.y * rows_each), most));
  }
  dim3 block, grid;
};

/// The first column and row of a thread of Tiles.
template <int N>
__device__ int64_t first_column() {
  return thread_of_grid() * N;
}
__device__ int64_t first_row(int rows_each) {
  return static_cast<int64_t>(blockIdx.y) * rows_each * blockDim.y + threadIdx.y;
}

constexpr int rows_each = 4;

template <int N, class From, class To>
__global__ void __launch_bounds__(threads)
    copy_operand_kernel(const From* from, int64_t rows, int64_t columns, const float* scale, To* to, int64_t to_rows,
                        int64_t to_columns) {
  const int64_t column = first_column<N>();
  if (column >= to_columns) return;
  const int64_t stride = static_cast<int64_t>(gridDim.y) * rows_each * blockDim.y;
  for (int64_t start = first_row(rows_each); start < to_rows; start += stride) {
    Floats<N> values[rows_each];
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const int64_t row = start + i * static_cast<int64_t>(blockDim.y);
      values[i] = {};
      if (row >= rows || column >= columns) continue;
      values[i] = load<N>(from + row * columns + column);
      if (scale == nullptr) continue;
      const float factor = scale[row];
#pragma unroll
      for (int j = 0; j < N; ++j) values[i][j] *= factor;
    }
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const int64_t row = start + i * static_cast<int64_t>(blockDim.y);
      if (row < to_rows) store<N>(to + row * to_columns + column, values[i]);
    }
  }
}

/// For results of type T.
template <class T>
__device__ float activated(Activation activation, float x) {
  if (activation == Activation::gelu) return gelu<T>(x);
  if (activation == Activation::relu) return larger(x, 0.0F);
  return x;
}

template <class From, class To>
struct Finish {
  const From* product;
  int64_t pitch;  ///< of the product
  const float* bias;
  Activation activation;
  const float* residual;
  To *pre_activation, *y;
  int64_t rows, columns;
};

template <int N, class From, class To>
__global__ void __launch_bounds__(threads) finish_kernel(Finish<From, To> to) {
  const int64_t column = first_column<N>();
  if (column >= to.columns) return;
  const Floats<N> bias = to.bias != nullptr ? load<N>(to.bias + column) : Floats<N>{};
  const int64_t stride = static_cast<int64_t>(gridDim.y) * rows_each * blockDim.y;
  for (int64_t start = first_row(rows_each); start < to.rows; start += stride) {
    Floats<N> values[rows_each];
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const int64_t row = start + i * static_cast<int64_t>(blockDim.y);
      values[i] = {};
      if (row < to.rows && to.product != nullptr) values[i] = load<N>(to.product + row * to.pitch + column);
    }
#pragma unroll
    for (int i = 0; i < rows_each; ++i) {
      const int64_t row = start + i * static_cast<int64_t>(blockDim.y);
      if (row >= to.rows) continue;
      const int64_t at = row * to.columns + column;
#pragma unroll
      for (int j = 0; j < N; ++j) values[i][j] += bias[j];
      if (to.pre_activation != nullptr) store<N>(to.pre_activation + at, values[i]);
#pragma unroll
      for (int j = 0; j < N; ++j) values[i][j] = activated<To>(to.activation, values[i][j]);
      if (to.residual != nullptr) {
        const Floats<N> residual = load<N>(to.residual + at);
#pragma unroll
        for (int j = 0; j < N; ++j) values[i][j] += residual[j];
      }
      store<N>(to.y + at, values[i]);
    }
  }
}

/// Sums of columns over parts of the rows, sums [parts, columns].
constexpr unsigned column_groups = 32, row_lanes = threads / column_groups;

template <int N, class T>
__global__ void __launch_bounds__(threads)
    sum_columns_kernel(const T* x, int64_t rows, int64_t columns, int64_t rows_of_part, float* sums) {
  __shared__ float of_lane[row_lanes][column_groups * N];
  const int64_t first = static_cast<int64_t>(blockIdx.x) * column_groups * N;
  const int64_t column = first + threadIdx.x * N;
  Floats<N> sum = {};
  if (column < columns) {
    const int64_t start = static_cast<int64_t>(blockIdx.y) * rows_of_part;
    const int64_t end = start + rows_of_part < rows ? start + rows_of_part : rows;
#pragma unroll 4
    for (int64_t row = start + threadIdx.y; row < end; row += row_lanes) {
      const Floats<N> values = load<N>(x + row * columns + column);
#pragma unroll
      for (int j = 0; j < N; ++j) sum[j] += values[j];
    }
  }
#pragma unroll
  for (int j = 0; j < N; ++j) of_lane[threadIdx.y][threadIdx.x * N + j] = sum[j];
  __syncthreads();
  for (unsigned i = threadIdx.y * column_groups + threadIdx.x; i < column_groups * N; i += threads) {
    if (first + i >= columns) continue;
    float total = 0.0F;
#pragma unroll
    for (unsigned lane = 0; lane < row_lanes; ++lane) total += of_lane[lane][i];
    sums[blockIdx.y * columns + first + i] = total;
  }
}

template <class T>
void sum_parts(const T* x, int64_t rows, int64_t columns, int64_t rows_of_part, float* sums) {
  constexpr int wide = 16 / sizeof(T);
  const auto parts = std::max(1u, blocks_for(rows, rows_of_part));
  const dim3 block(column_groups, row_lanes);
  if (columns % wide == 0 && aligned(x)) {
    launch(&sum_columns_kernel<wide, T>, dim3(blocks_for(columns, column_groups * wide), parts), block, x, rows,
           columns, rows_of_part, sums);
  } else {
    launch(&sum_columns_kernel<1, T>, dim3(blocks_for(columns, column_groups), parts), block, x, rows, columns,
           rows_of_part, sums);
  }
}

}  // namespace

void copy_operand(ConstView from, const float* scale, View to) {
  with_float(from.dtype, "a product", [&](auto read) {
    with_float(to.dtype, "a product", [&](auto written) {
      using From = decltype(read);
      using To = decltype(written);
      constexpr int wide = 16 / sizeof(From);
      const int64_t rows = from.shape[0], columns = from.shape[1], to_rows = to.shape[0], to_columns = to.shape[1];
      const auto queue = [&](auto kernel, int64_t width) {
        const Tiles tiles(to_rows, to_columns / width, rows_each);
        launch(kernel, tiles.grid, tiles.block, from.as<From>(), rows, columns, scale, to.as<To>(), to_rows,
               to_columns);
      };
      if (columns % wide == 0 && to_columns % wide == 0 && aligned(from.data, to.data)) {
        queue(&copy_operand_kernel<wide, From, To>, wide);
      } else {
        queue(&copy_operand_kernel<1, From, To>, 1);
      }
    });
  });
}

void finish(const FinishArguments& a) {
  with_float(a.product ? a.product.dtype : DType::f32, "a product", [&](auto read) {
    with_float(a.y.dtype, "a product", [&](auto written) {
      using From = decltype(read);
      using To = decltype(written);
      constexpr int wide = 16 / sizeof(From);
      const int64_t columns = a.y.shape[-1], rows = columns == 0 ? 0 : a.y.numel() / columns;
      const int64_t pitch = a.product ? a.product.shape[-1] : 0;
      const Finish<From, To> to = {a.product.as<From>(),      pitch,        a.bias, a.activation, a.residual,
                                   a.pre_activation.as<To>(), a.y.as<To>(), rows,   columns};
      const auto queue = [&](auto kernel, int64_t width) {
        const Tiles tiles(rows, columns / width, rows_each);
        launch(kernel, tiles.grid, tiles.block, to);
      };
      if (columns % wide == 0 && pitch % wide == 0 &&
          aligned(to.product, to.bias, to.residual, to.pre_activation, to.y)) {
        queue(&finish_kernel<wide, From, To>, wide);
      } else {
        queue(&finish_kernel<1, From, To>, 1);
      }
    });
  });
}

void sum_columns(const void* x, DType dtype, int64_t rows, int64_t columns, float* sums) {
  constexpr int64_t least = 256, most_parts = 512;
  const int64_t rows_of_part = std::max(least, (rows + most_parts - 1) / most_parts);
  const int64_t parts = (rows + rows_of_part - 1) / rows_of_part;
  with_float(dtype, "a sum of columns", [&](auto zero) {
    using T = decltype(zero);
    const auto* values = static_cast<const T*>(x);
    if (parts <= 1) return sum_parts(values, rows, columns, rows_of_part, sums);
    const Scratch of_parts(parts * columns * size_of(DType::f32));
    sum_parts(values, rows, columns, rows_of_part, of_parts.as<float>());
    sum_parts(of_parts.as<const float>(), parts, columns, parts, sums);
  });
}

}  // namespace astroclip::cuda
