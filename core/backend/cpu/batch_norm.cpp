#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/batch_norm.cpp"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <cmath>

#include "backend/cpu/kernel.h"
#include "backend/cpu/scratch.h"
#include "backend/cpu/simd-inl.h"
#include "base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace {

/// sum = Σ over rows of x, or of (x − mean)² where a mean is given.
void sum_piece(const float* x, const float* mean, int64_t rows, int64_t width, float* sum) {
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector centre = mean != nullptr ? load(mean + i, n) : set(0.0f);
    Vector total = set(0.0f);
    for (int64_t row = 0; row < rows; ++row) {
      const Vector value = hn::Sub(load(x + row * width + i, n), centre);
      total = mean != nullptr ? hn::MulAdd(value, value, total) : hn::Add(total, value);
    }
    store(total, sum + i, n);
  });
}

/// y = (x − mean) · factor + shift
void normalise_piece(const float* x, const float* mean, const float* factor, const float* shift, int64_t rows,
                     int64_t width, float* y) {
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector centre = load(mean + i, n), scale = load(factor + i, n), last = load(shift + i, n);
    for (int64_t row = 0; row < rows; ++row) {
      store(hn::MulAdd(hn::Sub(load(x + row * width + i, n), centre), scale, last), y + row * width + i, n);
    }
  });
}

/// Σ over rows of dy, and of dy · (x − mean).
void gradient_sums_piece(const float* dy, const float* x, const float* mean, int64_t rows, int64_t width, float* sum,
                         float* weighted) {
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector centre = load(mean + i, n);
    Vector plain = set(0.0f), along = set(0.0f);
    for (int64_t row = 0; row < rows; ++row) {
      const Vector gradient = load(dy + row * width + i, n);
      plain = hn::Add(plain, gradient);
      along = hn::MulAdd(gradient, hn::Sub(load(x + row * width + i, n), centre), along);
    }
    store(plain, sum + i, n);
    store(along, weighted + i, n);
  });
}

/// dx = factor · (dy − average − (x − mean) · slope)
void gradient_piece(const float* dy, const float* x, const float* mean, const float* average, const float* slope,
                    const float* factor, int64_t rows, int64_t width, float* dx) {
  sweep(width, [=](int64_t i, int64_t n) HWY_ATTR {
    const Vector centre = load(mean + i, n), level = load(average + i, n), tilt = load(slope + i, n);
    const Vector scale = load(factor + i, n);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t at = row * width + i;
      const Vector flow = hn::Sub(load(dy + at, n), level);
      store(hn::Mul(scale, hn::NegMulAdd(hn::Sub(load(x + at, n), centre), tilt, flow)), dx + at, n);
    }
  });
}

}  // namespace

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::cpu {

HWY_EXPORT(sum_piece);
HWY_EXPORT(normalise_piece);
HWY_EXPORT(gradient_sums_piece);
HWY_EXPORT(gradient_piece);

namespace {

constexpr int64_t piece_rows = 64;

/// x [groups, rows, channels] in pieces of consecutive rows of a group.
class Pieces {
 public:
  explicit Pieces(const Shape& x)
      : groups_(x[0]), rows_(x[1]), channels_(x[2]), count_((rows_ + piece_rows - 1) / piece_rows) {}

  /// body(piece, group, offset of its first element, rows), pieces in parallel.
  template <class Body>
  void each(const Body& body) const {
    parallel_for(groups_ * count_, row_grain(channels_ * piece_rows), [&](int64_t begin, int64_t end) {
      for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t group = piece / count_, first = piece % count_ * piece_rows;
        body(piece, group, (group * rows_ + first) * channels_, std::min(piece_rows, rows_ - first));
      }
    });
  }
  /// sums [groups, channels] of what each piece has in partial [pieces, channels].
  void gather(const Scratch& partial, float* sums) const {
    for (int64_t group = 0; group < groups_; ++group) {
      sum_columns(partial.as<float>() + group * count_ * channels_, count_, channels_, sums + group * channels_);
    }
  }
  int64_t bytes() const { return groups_ * count_ * channels_ * size_of(DType::f32); }
  int64_t columns() const { return groups_ * channels_; }
  int64_t channels() const { return channels_; }
  double rows() const { return static_cast<double>(rows_); }

 private:
  int64_t groups_, rows_, channels_, count_;
};

/// Scratch for a number of each group and channel.
Scratch of_columns(const Pieces& pieces) { return Scratch(pieces.columns() * size_of(DType::f32)); }

/// Σ x/rows of each column, or Σ (x − mean)²/rows.
void moment(const Pieces& pieces, const float* x, const float* mean, float* result) {
  const Scratch partial(pieces.bytes());
  pieces.each([&](int64_t piece, int64_t group, int64_t offset, int64_t rows) {
    HWY_DYNAMIC_DISPATCH(sum_piece)
    (x + offset, mean == nullptr ? nullptr : mean + group * pieces.channels(), rows, pieces.channels(),
     partial.as<float>() + piece * pieces.channels());
  });
  pieces.gather(partial, result);
  for (int64_t i = 0; i < pieces.columns(); ++i) result[i] = static_cast<float>(result[i] / pieces.rows());
}

double inverse_deviation(float variance, double epsilon) { return 1.0 / std::sqrt(variance + epsilon); }

}  // namespace

void CpuBackend::batch_norm(const BatchNormArguments& a) {
  expect_f32(a.x, "batch_norm");
  if (a.x.numel() == 0) {
    fill(a.mean, 0.0);
    fill(a.variance, 0.0);
    return;
  }
  const Pieces pieces(a.x.shape);
  const auto* x = a.x.as<float>();
  auto *mean = a.mean.as<float>(), *variance = a.variance.as<float>();
  moment(pieces, x, nullptr, mean);
  moment(pieces, x, mean, variance);
  const Scratch factors = of_columns(pieces), shifts = of_columns(pieces);
  for (int64_t i = 0; i < pieces.columns(); ++i) {
    const int64_t channel = i % pieces.channels();
    const double weight = a.weight ? a.weight.as<float>()[channel] : 1.0;
    factors.as<float>()[i] = static_cast<float>(weight * inverse_deviation(variance[i], a.epsilon));
    shifts.as<float>()[i] = a.bias ? a.bias.as<float>()[channel] : 0.0f;
  }
  pieces.each([&](int64_t, int64_t group, int64_t offset, int64_t rows) {
    const int64_t column = group * pieces.channels();
    HWY_DYNAMIC_DISPATCH(normalise_piece)
    (x + offset, mean + column, factors.as<float>() + column, shifts.as<float>() + column, rows, pieces.channels(),
     a.y.as<float>() + offset);
  });
}

void CpuBackend::batch_norm_backward(const BatchNormBackwardArguments& a) {
  expect_f32(a.dy, "batch_norm_backward");
  if (a.x.numel() == 0) {
    if (a.weight) fill(a.dweight, 0.0), fill(a.dbias, 0.0);
    return;
  }
  const Pieces pieces(a.x.shape);
  const auto *x = a.x.as<float>(), *dy = a.dy.as<float>(), *mean = a.mean.as<float>();
  const int64_t channels = pieces.channels();
  const Scratch averages = of_columns(pieces), slopes = of_columns(pieces), factors = of_columns(pieces);
  {
    const Scratch sums(pieces.bytes()), weighted(pieces.bytes());
    pieces.each([&](int64_t piece, int64_t group, int64_t offset, int64_t rows) {
      HWY_DYNAMIC_DISPATCH(gradient_sums_piece)
      (dy + offset, x + offset, mean + group * channels, rows, channels, sums.as<float>() + piece * channels,
       weighted.as<float>() + piece * channels);
    });
    pieces.gather(sums, averages.as<float>());
    pieces.gather(weighted, slopes.as<float>());
  }
  if (a.weight) {
    std::fill_n(a.dweight.as<float>(), channels, 0.0f);
    std::fill_n(a.dbias.as<float>(), channels, 0.0f);
  }
  for (int64_t i = 0; i < pieces.columns(); ++i) {
    float &average = averages.as<float>()[i], &slope = slopes.as<float>()[i];
    const double inverse = inverse_deviation(a.variance.as<float>()[i], a.epsilon);
    const int64_t channel = i % channels;
    if (a.weight) {
      a.dbias.as<float>()[channel] += average;
      a.dweight.as<float>()[channel] += static_cast<float>(slope * inverse);
    }
    const double weight = a.weight ? a.weight.as<float>()[channel] : 1.0;
    factors.as<float>()[i] = static_cast<float>(weight * inverse);
    average = static_cast<float>(average / pieces.rows());
    slope = static_cast<float>(slope * inverse * inverse / pieces.rows());
  }
  pieces.each([&](int64_t, int64_t group, int64_t offset, int64_t rows) {
    const int64_t column = group * channels;
    HWY_DYNAMIC_DISPATCH(gradient_piece)
    (dy + offset, x + offset, mean + column, averages.as<float>() + column, slopes.as<float>() + column,
     factors.as<float>() + column, rows, channels, a.dx.as<float>() + offset);
  });
}

}  // namespace astroclip::cpu
#endif
