#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/max_pool.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cmath>

#include "backend/cpu/kernel.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// y [channels] = the largest of `rows` rows of `columns` positions of x, rows `pitch` elements apart.
template <class T>
void pool_largest(const T* x, int64_t pitch, int64_t rows, int64_t columns, int64_t channels, T* y) {
  for (int64_t c = 0; channels < lanes && c < channels; ++c) {  // part of a vector costs more than its elements
    auto top = static_cast<float>(x[c]);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        const auto v = static_cast<float>(x[row * pitch + column * channels + c]);
        if (v > top || v != v) top = v;
      }
    }
    y[c] = T(top);
  }
  if (channels < lanes) return;
  sweep(channels, [=](int64_t i, int64_t n) HWY_ATTR {
    Vector top = load(x + i, n);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        const Vector v = load(x + row * pitch + column * channels + i, n);
        top = hn::IfThenElse(hn::Or(hn::Gt(v, top), hn::IsNaN(v)), v, top);
      }
    }
    store(top, y + i, n);
  });
}

void pool_floats(const float* x, int64_t pitch, int64_t rows, int64_t columns, int64_t channels, float* y) {
  pool_largest(x, pitch, rows, columns, channels, y);
}

void pool_stored(const BFloat16* x, int64_t pitch, int64_t rows, int64_t columns, int64_t channels, BFloat16* y) {
  pool_largest(x, pitch, rows, columns, channels, y);
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(pool_floats);
HWY_EXPORT(pool_stored);

namespace {

/// The range of positions inside the border that a window along one axis covers.
struct Span {
  Span(const Windows& windows, size_t axis, int64_t window, int64_t extent) {
    const int64_t first = window * windows.stride[axis] - windows.padding[axis];
    begin = std::max<int64_t>(first, 0);
    end = std::min(first + windows.size[axis], extent);
  }
  int64_t begin, end;
};

void pool_window(const float* sample, int64_t width, int64_t channels, Span rows, Span columns, float* y,
                 int64_t* index) {
  bool is_first = true;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t column = columns.begin; column < columns.end; ++column) {
      const int64_t position = row * width + column;
      const float* x = sample + position * channels;
      for (int64_t c = 0; c < channels; ++c) {
        if (!is_first && !(x[c] > y[c]) && !(std::isnan(x[c]) && !std::isnan(y[c]))) continue;
        y[c] = x[c];
        index[c] = position;
      }
      is_first = false;
    }
  }
}

}  // namespace

void CpuBackend::max_pool(ConstView x, const Windows& windows, View y, View index) {
  if (index) expect_f32(x, "max_pool");
  const int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  const int64_t rows = y.shape[1], columns = y.shape[2];
  const int64_t work = columns * channels * windows.size[0] * windows.size[1];
  parallel_for(x.shape[0] * rows, row_grain(work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t sample = i / rows * height * width * channels;
      const Span down(windows, 0, i % rows, height);
      for (int64_t column = 0; column < columns; ++column) {
        const int64_t at = (i * columns + column) * channels;
        const Span across(windows, 1, column, width);
        const int64_t from = sample + (down.begin * width + across.begin) * channels, pitch = width * channels;
        const int64_t tall = down.end - down.begin, wide = across.end - across.begin;
        if (index) {
          pool_window(x.as<float>() + sample, width, channels, down, across, y.as<float>() + at,
                      index.as<int64_t>() + at);
        } else if (x.dtype == DType::bf16) {
          HWY_DYNAMIC_DISPATCH(pool_stored)
          (x.as<BFloat16>() + from, pitch, tall, wide, channels, y.as<BFloat16>() + at);
        } else {
          HWY_DYNAMIC_DISPATCH(pool_floats)(x.as<float>() + from, pitch, tall, wide, channels, y.as<float>() + at);
        }
      }
    }
  });
}

void CpuBackend::max_pool_backward(ConstView dy, ConstView index, View dx) {
  expect_f32(dy, "max_pool_backward");
  const int64_t channels = dx.shape[3], plane = dx.shape[1] * dx.shape[2] * channels;
  const int64_t windows = dy.shape[1] * dy.shape[2];
  parallel_for(dx.shape[0], row_grain(plane), [&](int64_t begin, int64_t end) {
    for (int64_t sample = begin; sample < end; ++sample) {
      float* gradient = dx.as<float>() + sample * plane;
      std::fill_n(gradient, plane, 0.0f);
      for (int64_t i = sample * windows; i < (sample + 1) * windows; ++i) {
        for (int64_t c = 0; c < channels; ++c) {
          gradient[index.as<int64_t>()[i * channels + c] * channels + c] += dy.as<float>()[i * channels + c];
        }
      }
    }
  });
}

}  // namespace astroclip::cpu
#endif
