#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/reduce.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "backend/axes_internal.h"
#include "backend/cpu/kernel.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// One contiguous run to one number. Sums of 4096 elements at a time are gathered in double.
double fold_run(ReduceOp op, const float* x, int64_t size) {
  if (op == ReduceOp::maximum) return max_of(x, size);
  constexpr int64_t piece = 4096;
  double total = 0.0;
  for (int64_t begin = 0; begin < size; begin += piece) {
    const float* at = x + begin;
    total += sum_of(std::min(piece, size - begin), [=](int64_t i, int64_t n) HWY_ATTR { return load(at + i, n); });
  }
  return total;
}

/// y[0, width) = the sums of `rows` rows of x, many columns at a time: one sum would wait for itself, and few would
/// read too little of a row at once. Returns how many columns it did; the rest is less than a group of them.
template <class T>
int64_t sum_groups(const T* x, int64_t pitch, int64_t rows, float* y, int64_t width) {
  constexpr int64_t group = 4 * lanes;
  const Tag tag;
  int64_t i = 0;
  for (; i + group <= width; i += group) {
    const T* from = x + i;
    Vector s0 = load(from, lanes), s1 = load(from + lanes, lanes);
    Vector s2 = load(from + 2 * lanes, lanes), s3 = load(from + 3 * lanes, lanes);
    for (int64_t row = 1; row < rows; ++row) {
      from += pitch;
      s0 = hn::Add(s0, load(from, lanes));
      s1 = hn::Add(s1, load(from + lanes, lanes));
      s2 = hn::Add(s2, load(from + 2 * lanes, lanes));
      s3 = hn::Add(s3, load(from + 3 * lanes, lanes));
    }
    hn::StoreU(s0, tag, y + i);
    hn::StoreU(s1, tag, y + i + lanes);
    hn::StoreU(s2, tag, y + i + 2 * lanes);
    hn::StoreU(s3, tag, y + i + 3 * lanes);
  }
  return i;
}

/// y[0, width) = the fold of `rows` rows of x.
template <class T>
void fold_rows_of(ReduceOp op, const T* x, int64_t pitch, int64_t rows, float* y, int64_t width) {
  const int64_t done = op == ReduceOp::sum ? sum_groups(x, pitch, rows, y, width) : 0;
  x += done;
  y += done;
  sweep(width - done, [=](int64_t i, int64_t n) HWY_ATTR {
    Vector total = load(x + i, n);
    for (int64_t row = 1; row < rows; ++row) {
      const Vector v = load(x + row * pitch + i, n);
      if (op == ReduceOp::sum) {
        total = hn::Add(total, v);
      } else {  // keeps NaN, wherever it stands
        total = hn::IfThenElse(hn::IsNaN(total), total, hn::IfThenElse(hn::Lt(v, total), total, v));
      }
    }
    store(total, y + i, n);
  });
}

void fold_rows(ReduceOp op, const float* x, int64_t pitch, int64_t rows, float* y, int64_t width) {
  fold_rows_of(op, x, pitch, rows, y, width);
}

void fold_stored_rows(ReduceOp op, const BFloat16* x, int64_t pitch, int64_t rows, float* y, int64_t width) {
  fold_rows_of(op, x, pitch, rows, y, width);
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(fold_run);
HWY_EXPORT(fold_rows);
HWY_EXPORT(fold_stored_rows);

namespace {

void fold_rows_of(ReduceOp op, const float* x, int64_t pitch, int64_t rows, float* y, int64_t width) {
  HWY_DYNAMIC_DISPATCH(fold_rows)(op, x, pitch, rows, y, width);
}
void fold_rows_of(ReduceOp op, const BFloat16* x, int64_t pitch, int64_t rows, float* y, int64_t width) {
  HWY_DYNAMIC_DISPATCH(fold_stored_rows)(op, x, pitch, rows, y, width);
}

constexpr int64_t run_piece = 65536;  // elements
constexpr int64_t row_piece = 64;     // rows

double fold_long_run(ReduceOp op, const float* x, int64_t size) {
  const int64_t pieces = (size + run_piece - 1) / run_piece;
  if (pieces <= 1) return HWY_DYNAMIC_DISPATCH(fold_run)(op, x, size);
  const Scratch partial(pieces * static_cast<int64_t>(sizeof(double)));
  parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      partial.as<double>()[k] =
          HWY_DYNAMIC_DISPATCH(fold_run)(op, x + k * run_piece, std::min(run_piece, size - k * run_piece));
    }
  });
  double total = partial.as<double>()[0];
  for (int64_t k = 1; k < pieces; ++k) {
    const double next = partial.as<double>()[k];
    total = op == ReduceOp::sum ? total + next : (next > total || next != next ? next : total);
  }
  return total;
}

/// y [width] = fold over the rows of x [rows, width], by pieces of `row_piece` rows, then pieces of those.
template <class T>
void fold_matrix(ReduceOp op, const T* x, int64_t rows, int64_t width, float* y) {
  const int64_t pieces = (rows + row_piece - 1) / row_piece;
  if (pieces <= 1) return fold_rows_of(op, x, width, rows, y, width);
  const Scratch partial(pieces * width * static_cast<int64_t>(sizeof(float)));
  parallel_for(pieces, row_grain(width * row_piece), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      fold_rows_of(op, x + k * row_piece * width, width, std::min(row_piece, rows - k * row_piece),
                   partial.as<float>() + k * width, width);
    }
  });
  fold_matrix(op, partial.as<float>(), pieces, width, y);
}

/// y [outer, inner] = fold of x [outer, middle, inner] over the middle.
void fold_middle(ReduceOp op, const float* x, int64_t outer, int64_t middle, int64_t inner, float* y) {
  if (inner == 1 && outer == 1) {
    *y = static_cast<float>(fold_long_run(op, x, middle));
  } else if (inner == 1) {
    parallel_for(outer, row_grain(middle), [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        y[k] = static_cast<float>(HWY_DYNAMIC_DISPATCH(fold_run)(op, x + k * middle, middle));
      }
    });
  } else if (outer == 1) {
    fold_matrix(op, x, middle, inner, y);
  } else {
    parallel_for(outer, row_grain(middle * inner), [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        fold_rows_of(op, x + k * middle * inner, inner, middle, y + k * inner, inner);
      }
    });
  }
}

}  // namespace

namespace {

template <class T>
void sum_columns_of(const T* x, int64_t rows, int64_t width, float* y) {
  if (rows == 0) {
    std::fill_n(y, width, 0.0f);
  } else {
    fold_matrix(ReduceOp::sum, x, rows, width, y);
  }
}

}  // namespace

void sum_columns(const float* x, int64_t rows, int64_t width, float* y) { sum_columns_of(x, rows, width, y); }
void sum_columns(const BFloat16* x, int64_t rows, int64_t width, float* y) { sum_columns_of(x, rows, width, y); }

void CpuBackend::reduce(ReduceOp op, ConstView x, View y) {
  expect_f32(x, "reduce");
  if (x.numel() == 0) {
    return fill(y, op == ReduceOp::sum ? 0.0 : -std::numeric_limits<double>::infinity());
  }
  const float* source = x.as<float>();
  std::unique_ptr<Scratch> held;  // of what lies between two folds
  for (const Fold& fold : plan_folds(x.shape, y.shape)) {
    const int64_t left = fold.outer * fold.inner;
    const bool last = left == y.numel();
    auto next = last ? nullptr : std::make_unique<Scratch>(left * static_cast<int64_t>(sizeof(float)));
    fold_middle(op, source, fold.outer, fold.middle, fold.inner, last ? y.as<float>() : next->as<float>());
    if (last) return;
    source = next->as<float>();
    held = std::move(next);
  }
  std::copy_n(source, y.numel(), y.as<float>());
}

}  // namespace astroclip::cpu
#endif
