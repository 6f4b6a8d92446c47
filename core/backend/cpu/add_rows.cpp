#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/add_rows.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <span>
#include <vector>

#include "backend/cpu/kernel.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// sum = x + factor · scale · y; sum may be x.
void add_line(const float* x, const float* y, const float* scale, float factor, float* sum, int64_t width) {
  const Vector share = set(factor);
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector weight = scale == nullptr ? share : hn::Mul(load(scale + i, n), share);
    store(hn::MulAdd(load(y + i, n), weight, load(x + i, n)), sum + i, n);
  });
}

/// Writes dy and adds the line's share to dscale, if there is a scale.
void add_line_backward(const float* dsum, const float* y, const float* scale, float factor, float* dy, float* dscale,
                       int64_t width) {
  const Vector share = set(factor);
  if (scale == nullptr) {
    return sweep(width, [=](int64_t i, int64_t n) HWY_ATTR { store(hn::Mul(load(dsum + i, n), share), dy + i, n); });
  }
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector gradient = hn::Mul(load(dsum + i, n), share);
    store(hn::MulAdd(gradient, load(y + i, n), load(dscale + i, n)), dscale + i, n);
    store(hn::Mul(gradient, load(scale + i, n)), dy + i, n);
  });
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(add_line);
HWY_EXPORT(add_line_backward);

namespace {

/// For each of `rows` the places in an index, if there is one, at which it stands, in their order.
class Places {
 public:
  Places(ConstView index, int64_t rows) : first_(static_cast<size_t>(rows) + 1) {
    if (!index) return;
    const std::span values(index.as<int64_t>(), static_cast<size_t>(index.numel()));
    for (const int64_t row : values) ++first_[static_cast<size_t>(row) + 1];
    for (size_t row = 1; row < first_.size(); ++row) first_[row] += first_[row - 1];
    std::vector<int64_t> next(first_.begin(), first_.end() - 1);
    places_.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      places_[static_cast<size_t>(next[static_cast<size_t>(values[i])]++)] = static_cast<int64_t>(i);
    }
  }
  std::span<const int64_t> of(int64_t row) const {
    const auto begin = first_[static_cast<size_t>(row)], end = first_[static_cast<size_t>(row) + 1];
    return std::span(places_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }

 private:
  std::vector<int64_t> first_, places_;
};

}  // namespace

void CpuBackend::add_rows(const AddRowsArguments& a) {
  expect_f32(a.x, "add_rows");
  if (a.x.numel() == 0) return;
  const int64_t width = a.x.shape[-1], lines = rows_of(a.x.shape), of_row = lines / a.x.shape[0];
  const auto *x = a.x.as<float>(), *y = a.y.as<float>(), *scale = a.scale.as<float>();
  auto* sum = a.sum.as<float>();
  const auto factor = static_cast<float>(a.factor);
  const Places places(a.index, a.x.shape[0]);
  parallel_for(lines, row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const auto add = [&](const float* to, int64_t from) {
        HWY_DYNAMIC_DISPATCH(add_line)(to, y + from * width, scale, factor, sum + line * width, width);
      };
      if (!a.index) {
        add(x + line * width, line);
        continue;
      }
      const float* to = x + line * width;
      for (const int64_t place : places.of(line / of_row)) {
        add(to, place * of_row + line % of_row);
        to = sum + line * width;
      }
      if (to == x + line * width && to != sum + line * width) std::copy_n(to, width, sum + line * width);
    }
  });
}

void CpuBackend::add_rows_backward(const AddRowsBackwardArguments& a) {
  expect_f32(a.dsum, "add_rows_backward");
  if (a.dscale) fill(a.dscale, 0.0);
  if (a.dy.numel() == 0) return;
  // The gradient of the scale is gathered over blocks of lines, as many as there are whatever the threads.
  constexpr int64_t most_blocks = 16;
  const int64_t width = a.dy.shape[-1], lines = rows_of(a.dy.shape), of_row = lines / a.dy.shape[0];
  const int64_t blocks = std::clamp<int64_t>(lines / row_grain(width), 1, most_blocks);
  const Scratch partial(a.scale ? blocks * width * static_cast<int64_t>(sizeof(float)) : 0);
  if (a.scale) std::fill_n(partial.as<float>(), blocks * width, 0.0f);
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      float* dscale = a.scale ? partial.as<float>() + block * width : nullptr;
      for (int64_t line = lines * block / blocks; line < lines * (block + 1) / blocks; ++line) {
        const int64_t row = line / of_row, from = (a.index ? a.index.as<int64_t>()[row] : row) * of_row + line % of_row;
        HWY_DYNAMIC_DISPATCH(add_line_backward)
        (a.dsum.as<float>() + from * width, a.y.as<float>() + (a.scale ? line * width : 0), a.scale.as<float>(),
         static_cast<float>(a.factor), a.dy.as<float>() + line * width, dscale, width);
      }
    }
  });
  if (a.scale) sum_columns(partial.as<float>(), blocks, width, a.dscale.as<float>());
}

}  // namespace astroclip::cpu
#endif
