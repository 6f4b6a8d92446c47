#include <algorithm>
#include <cstring>

#include "backend/axes_internal.h"
#include "backend/cpu/kernel.h"
#include "base/threads.h"

namespace astroclip::cpu {

namespace {

/// Where in x the run of y's last axis number `index` begins.
int64_t source_of(const Walk& walk, int64_t index) {
  int64_t source = 0;
  for (int axis = walk.rank - 2; axis >= 0; --axis) {
    const auto k = static_cast<size_t>(axis);
    source += index % walk.extent[k] * walk.stride[k];
    index /= walk.extent[k];
  }
  return source;
}

template <class T>
void permute_runs(const Walk& walk, const T* x, T* y, int64_t begin, int64_t end) {
  const auto last = static_cast<size_t>(walk.rank - 1);
  const int64_t inner = walk.extent[last], step = walk.stride[last];
  for (int64_t run = begin; run < end; ++run) {
    const T* from = x + source_of(walk, run);
    T* to = y + run * inner;
    if (step == 1) {
      std::memcpy(to, from, static_cast<size_t>(inner) * sizeof(T));
    } else {
      for (int64_t i = 0; i < inner; ++i) to[i] = from[i * step];
    }
  }
}

/// The last two axes swapped: tiles of both fit the first-level cache.
template <class T>
void transpose_tiles(const T* x, int64_t x_pitch, T* y, int64_t rows, int64_t columns) {
  constexpr int64_t tile = 32;
  for (int64_t row = 0; row < rows; row += tile) {
    for (int64_t column = 0; column < columns; column += tile) {
      for (int64_t i = row; i < std::min(rows, row + tile); ++i) {
        for (int64_t j = column; j < std::min(columns, column + tile); ++j) y[i * columns + j] = x[j * x_pitch + i];
      }
    }
  }
}

template <class T>
void permute_typed(const Walk& walk, const T* x, T* y, int64_t size) {
  const auto last = static_cast<size_t>(walk.rank - 1);
  const int64_t inner = walk.extent[last];
  const bool transpose = walk.rank >= 2 && walk.stride[last - 1] == 1;
  if (!transpose) {
    return parallel_for(size / inner, row_grain(inner),
                        [&](int64_t begin, int64_t end) { permute_runs(walk, x, y, begin, end); });
  }
  // Matrices of [extent of the last but one, last], each tile by tile; one big matrix is shared by its rows.
  const int64_t rows = walk.extent[last - 1];
  parallel_for(size / inner, std::max(row_grain(inner), int64_t{32}), [&](int64_t begin, int64_t end) {
    for (int64_t run = begin; run < end;) {
      const int64_t count = std::min(rows - run % rows, end - run);
      transpose_tiles(x + source_of(walk, run), walk.stride[last], y + run * inner, count, inner);
      run += count;
    }
  });
}

}  // namespace

void CpuBackend::permute(ConstView x, std::span<const int> order, View y) {
  if (x.numel() == 0) return;
  const Walk walk = plan_permutation(x.shape, order);
  switch (size_of(x.dtype)) {
    case 1:
      return permute_typed(walk, x.as<uint8_t>(), y.as<uint8_t>(), x.numel());
    case 2:
      return permute_typed(walk, x.as<uint16_t>(), y.as<uint16_t>(), x.numel());
    case 4:
      return permute_typed(walk, x.as<uint32_t>(), y.as<uint32_t>(), x.numel());
    default:
      return permute_typed(walk, x.as<uint64_t>(), y.as<uint64_t>(), x.numel());
  }
}

namespace {

template <class T>
void add_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const T* from = static_cast<const T*>(x) + row * x_pitch;
    T* to = static_cast<T*>(y) + row * y_pitch;
    for (int64_t i = 0; i < width; ++i) to[i] += from[i];
  }
}

template <class T>
void scatter_add(ConstView dy, ConstView index, View dx) {
  const int64_t count = index.numel(), width = dy.numel() / count;
  // Threads share the columns: rows may meet in one target, and must do so in their own order.
  parallel_for(width, std::max<int64_t>(16, elementwise_grain / count), [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < count; ++i) {
      T* target = dx.as<T>() + index.as<int64_t>()[i] * width;
      const T* source = dy.as<T>() + i * width;
      for (int64_t j = begin; j < end; ++j) {
        target[j] = T(static_cast<float>(target[j]) + static_cast<float>(source[j]));
      }
    }
  });
}

}  // namespace

void CpuBackend::copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width, int64_t rows,
                             DType dtype, bool accumulate) {
  if (width == 0 || rows == 0) return;
  if (x_pitch == width && y_pitch == width) {  // one run, which threads can share evenly
    constexpr int64_t piece = 4096;
    if (rows < compute_threads() && width > piece && width % piece == 0) {
      rows *= width / piece;
      width = x_pitch = y_pitch = piece;
    }
  }
  const int64_t size = size_of(dtype);
  parallel_for(rows, row_grain(width), [&](int64_t begin, int64_t end) {
    if (accumulate && dtype == DType::f32) return add_blocks<float>(x, x_pitch, y, y_pitch, width, begin, end);
    if (accumulate && dtype == DType::f64) return add_blocks<double>(x, x_pitch, y, y_pitch, width, begin, end);
    if (accumulate) expect_f32(ConstView(x, {width}, dtype), "copy_blocks that adds");
    for (int64_t row = begin; row < end; ++row) {
      std::memcpy(static_cast<std::byte*>(y) + row * y_pitch * size,
                  static_cast<const std::byte*>(x) + row * x_pitch * size, static_cast<size_t>(width * size));
    }
  });
}

void CpuBackend::gather_rows(ConstView x, ConstView index, View y) {
  const int64_t count = index.numel();
  if (count == 0) return;
  const int64_t width = y.numel() / count, bytes = width * size_of(y.dtype);
  parallel_for(count, row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::memcpy(static_cast<std::byte*>(y.data) + i * bytes,
                  static_cast<const std::byte*>(x.data) + index.as<int64_t>()[i] * bytes, static_cast<size_t>(bytes));
    }
  });
}

void CpuBackend::scatter_add_rows(ConstView dy, ConstView index, View dx) {
  const int64_t count = index.numel();
  if (count == 0) return;
  if (dy.dtype == DType::bf16) return scatter_add<BFloat16>(dy, index, dx);
  expect_f32(dy, "scatter_add_rows");
  scatter_add<float>(dy, index, dx);
}

}  // namespace astroclip::cpu
