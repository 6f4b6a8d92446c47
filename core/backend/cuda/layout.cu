#include <algorithm>
#include <limits>

#include "backend/axes_internal.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/vector.h"

namespace astroclip::cuda {

namespace {

struct alignas(16) Quad {
  uint64_t at[2];
};

/// Calls body with a word of `bytes`: 1, 2, 4, 8 or 16.
template <class Body>
void with_word(int64_t bytes, Body body) {
  switch (bytes) {
    case 1:
      return body(uint8_t{});
    case 2:
      return body(uint16_t{});
    case 4:
      return body(uint32_t{});
    case 8:
      return body(uint64_t{});
    default:
      return body(Quad{});
  }
}

/// The most bytes, up to 16, that divide all numbers.
template <class... Numbers>
int64_t common_word(Numbers... numbers) {
  int64_t word = 16;
  while (((static_cast<uint64_t>(numbers) % static_cast<uint64_t>(word) != 0) || ...)) word /= 2;
  return word;
}
uint64_t address(const void* data) { return reinterpret_cast<uintptr_t>(data); }

/// Axes of y, outermost first, and how many words apart their positions are in x and y.
struct Axes {
  int rank = 0;
  Extents extent{}, x_stride{}, y_stride{};
};

/// Where in x and y position `index` of the first `rank` axes begins.
template <class Index>
__device__ void find(const Axes& axes, int rank, Index index, int64_t& x, int64_t& y) {
  x = y = 0;
  for (int axis = rank - 1; axis >= 0; --axis) {
    const auto extent = static_cast<Index>(axes.extent[axis]), above = index / extent;
    x += static_cast<int64_t>(index - above * extent) * axes.x_stride[axis];
    y += static_cast<int64_t>(index - above * extent) * axes.y_stride[axis];
    index = above;
  }
}

/// y in its order.
template <class Word, class Index>
__global__ void __launch_bounds__(256) permute_words(Axes axes, int64_t size, const Word* x, Word* y) {
  const int64_t at = thread_of_grid();
  if (at >= size) return;
  int64_t from, to;
  find(axes, axes.rank, static_cast<Index>(at), from, to);
  y[to] = x[from];
}

constexpr int tile_side = 32, tile_rows = 8;

/// Tiles of [rows, columns], the last two axes: neighbours in x are rows and neighbours in y columns.
template <class Word>
__global__ void __launch_bounds__(tile_side* tile_rows) transpose_tiles(Axes axes, const Word* x, Word* y) {
  __shared__ Word tile[tile_side][tile_side + 1];
  const int row_axis = axes.rank - 2, column_axis = axes.rank - 1;
  const int64_t rows = axes.extent[row_axis], columns = axes.extent[column_axis];
  const int64_t across = (columns + tile_side - 1) / tile_side, down = (rows + tile_side - 1) / tile_side;
  const int64_t column = blockIdx.x % across * tile_side, row = blockIdx.x / across % down * tile_side;
  int64_t from, to;
  find(axes, row_axis, static_cast<uint64_t>(blockIdx.x / across / down), from, to);
  const int lane = threadIdx.x % tile_side, line = threadIdx.x / tile_side;
  for (int i = line; i < tile_side; i += tile_rows) {
    if (row + lane < rows && column + i < columns) {
      tile[i][lane] = x[from + row + lane + (column + i) * axes.x_stride[column_axis]];
    }
  }
  __syncthreads();
  for (int i = line; i < tile_side; i += tile_rows) {
    if (row + i < rows && column + lane < columns) {
      y[to + (row + i) * axes.y_stride[row_axis] + column + lane] = tile[lane][i];
    }
  }
}

Axes axes_of(const Walk& walk) {
  Axes axes{walk.rank, walk.extent, walk.stride, {}};
  int64_t stride = 1;
  for (int axis = walk.rank - 1; axis >= 0; --axis) {
    axes.y_stride[static_cast<size_t>(axis)] = stride;
    stride *= walk.extent[static_cast<size_t>(axis)];
  }
  return axes;
}

/// Along which of y's axes x is contiguous.
int contiguous_axis(const Axes& axes) {
  return static_cast<int>(std::find(axes.x_stride.begin(), axes.x_stride.begin() + axes.rank, 1) -
                          axes.x_stride.begin());
}

/// Elements of `size` bytes as words of as many bytes as both arrays allow, where the last axis stays the last. Returns
/// the bytes of a word.
int64_t widen(Axes& axes, int64_t size, const void* x, const void* y) {
  const auto last = static_cast<size_t>(axes.rank - 1);
  int64_t word = common_word(address(x), address(y), axes.extent[last] * size);
  for (size_t axis = 0; axis < last; ++axis) word = std::min(word, common_word(axes.x_stride[axis] * size));
  const int64_t elements = word / size;
  axes.extent[last] /= elements;
  for (size_t axis = 0; axis < last; ++axis) {
    axes.x_stride[axis] /= elements;
    axes.y_stride[axis] /= elements;
  }
  return word;
}

/// Moves an axis to the place before the last.
void move_before_last(Axes& axes, int axis) {
  for (Extents* of_axes : {&axes.extent, &axes.x_stride, &axes.y_stride}) {
    std::rotate(of_axes->begin() + axis, of_axes->begin() + axis + 1, of_axes->begin() + axes.rank - 1);
  }
}

/// `width` words of each row, from row index[row] of x if there is an index.
template <class Word>
struct CopyRows {
  const Word* x;
  int64_t x_pitch;
  const int64_t* index;
  Word* y;
  int64_t y_pitch, width;
  template <int N>
  __device__ void run(int64_t at) const {
    static_assert(N == 1);
    const int64_t row = at / width, column = at - row * width;
    y[row * y_pitch + column] = x[(index == nullptr ? row : index[row]) * x_pitch + column];
  }
};

/// As CopyRows; pitches and width are in bytes.
void copy_rows(const void* x, int64_t x_pitch, const int64_t* index, void* y, int64_t y_pitch, int64_t width,
               int64_t rows) {
  with_word(common_word(address(x), address(y), x_pitch, y_pitch, width), [&]<class Word>(Word) {
    constexpr auto bytes = static_cast<int64_t>(sizeof(Word));
    for_elements<1>(rows * (width / bytes), true,
                    CopyRows<Word>{static_cast<const Word*>(x), x_pitch / bytes, index, static_cast<Word*>(y),
                                   y_pitch / bytes, width / bytes});
  });
}

template <class T>
struct AddBlocks {
  const T* x;
  int64_t x_pitch;
  T* y;
  int64_t y_pitch, width;
  template <int N>
  __device__ void run(int64_t at) const {
    const int64_t row = at / width, column = at - row * width;
    const auto more = *reinterpret_cast<const Pack<T, N>*>(x + row * x_pitch + column);
    auto& sum = *reinterpret_cast<Pack<T, N>*>(y + row * y_pitch + column);
    auto pack = sum;
#pragma unroll
    for (int i = 0; i < N; ++i) pack.at[i] += more.at[i];
    sum = pack;
  }
};

template <class T>
void add_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows) {
  constexpr int wide = 16 / sizeof(T);
  const bool fits = aligned(x, y) && width % wide == 0 && x_pitch % wide == 0 && y_pitch % wide == 0;
  for_elements<wide>(rows * width, fits,
                     AddBlocks<T>{static_cast<const T*>(x), x_pitch, static_cast<T*>(y), y_pitch, width});
}

}  // namespace

void CudaBackend::permute(ConstView x, std::span<const int> order, View y) {
  if (x.numel() == 0) return;
  constexpr int64_t threads = 256, least_side = 8;
  Axes axes = axes_of(plan_permutation(x.shape, order));
  const int from = contiguous_axis(axes), last = axes.rank - 1;
  const int64_t rows = axes.extent[static_cast<size_t>(from)], columns = axes.extent[static_cast<size_t>(last)];
  if (from == last || rows < least_side || columns < least_side) {
    const int64_t word = from == last ? widen(axes, size_of(x.dtype), x.data, y.data) : size_of(x.dtype);
    const int64_t size = x.numel() * size_of(x.dtype) / word;
    with_word(word, [&]<class Word>(Word) {
      const auto kernel = size <= std::numeric_limits<uint32_t>::max() ? &permute_words<Word, uint32_t>
                                                                       : &permute_words<Word, uint64_t>;
      launch(kernel, blocks_for(size, threads), threads, axes, size, x.as<Word>(), y.as<Word>());
    });
    return;
  }
  move_before_last(axes, from);
  const int64_t tiles =
      x.numel() / rows / columns * ((rows + tile_side - 1) / tile_side) * ((columns + tile_side - 1) / tile_side);
  with_word(size_of(x.dtype), [&]<class Word>(Word) {
    if constexpr (sizeof(Word) <= 8) {
      launch(&transpose_tiles<Word>, static_cast<unsigned>(tiles), tile_side * tile_rows, axes, x.as<Word>(),
             y.as<Word>());
    }
  });
}

void CudaBackend::copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows,
                              DType dtype, bool accumulate) {
  if (width == 0 || rows == 0) return;
  if (accumulate && dtype == DType::f64) return add_blocks<double>(x, x_pitch, y, y_pitch, width, rows);
  if (accumulate) {
    expect_f32(ConstView(x, {width}, dtype), "copy_blocks that adds");
    return add_blocks<float>(x, x_pitch, y, y_pitch, width, rows);
  }
  const int64_t size = size_of(dtype);
  copy_rows(x, x_pitch * size, nullptr, y, y_pitch * size, width * size, rows);
}

void CudaBackend::gather_rows(ConstView x, ConstView index, View y) {
  if (y.numel() == 0) return;
  const int64_t rows = index.numel(), width = y.numel() / rows * size_of(y.dtype);
  copy_rows(x.data, width, index.as<int64_t>(), y.data, width, width, rows);
}

}  // namespace astroclip::cuda
