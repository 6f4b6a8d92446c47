#include "probe/spline.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <vector>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/threads.h"

namespace astroclip::probe {

namespace {

constexpr int64_t splines_of_share = 512;  ///< fewer are not worth a thread

/// What a spline's value depends on within a bin.
struct Bin {
  enum Argument : size_t { at, left, width, bottom, height, slope_left, slope_right, arguments };
  using Values = std::array<double, arguments>;
};

/// A number with its derivatives by the arguments: forward differentiation.
struct Dual {
  double value = 0.0;
  Bin::Values by = {};

  static Dual of(double value, Bin::Argument argument) {
    Dual dual{value};
    dual.by[argument] = 1.0;
    return dual;
  }
};

Dual chain(double value, const Dual& a, double by_a, const Dual& b, double by_b) {
  Dual result{value};
  for (size_t i = 0; i < Bin::arguments; ++i) result.by[i] = by_a * a.by[i] + by_b * b.by[i];
  return result;
}
Dual operator+(const Dual& a, const Dual& b) { return chain(a.value + b.value, a, 1.0, b, 1.0); }
Dual operator-(const Dual& a, const Dual& b) { return chain(a.value - b.value, a, 1.0, b, -1.0); }
Dual operator*(const Dual& a, const Dual& b) { return chain(a.value * b.value, a, b.value, b, a.value); }
Dual operator/(const Dual& a, const Dual& b) {
  const double ratio = a.value / b.value;
  return chain(ratio, a, 1.0 / b.value, b, -ratio / b.value);
}
Dual operator*(double a, const Dual& b) { return chain(a * b.value, b, a, b, 0.0); }
Dual operator-(double a, const Dual& b) { return chain(a - b.value, b, -1.0, b, 0.0); }
Dual sqrt(const Dual& a) {
  const double root = std::sqrt(a.value);
  return chain(root, a, 0.5 / root, a, 0.0);
}
Dual log(const Dual& a) { return chain(std::log(a.value), a, 1.0 / a.value, a, 0.0); }

/// y and log |dy/dx| of the spline or of its inverse in one bin.
template <class T>
std::array<T, 2> in_bin(const std::array<T, Bin::arguments>& a, bool inverse) {
  using std::log, std::sqrt;
  const T slope = a[Bin::height] / a[Bin::width];
  const T bend = a[Bin::slope_left] + a[Bin::slope_right] - 2.0 * slope;
  T place = (a[Bin::at] - a[Bin::left]) / a[Bin::width];
  if (inverse) {
    const T above = a[Bin::at] - a[Bin::bottom];
    const T second = above * bend + a[Bin::height] * (slope - a[Bin::slope_left]);
    const T first = a[Bin::height] * a[Bin::slope_left] - above * bend;
    const T none = slope * above;
    place = 2.0 * none / (first + sqrt(first * first + 4.0 * second * none));
  }
  const T rest = 1.0 - place, both = place * rest;
  const T denominator = slope + bend * both;
  const T derivative =
      slope * slope * (a[Bin::slope_right] * place * place + 2.0 * slope * both + a[Bin::slope_left] * rest * rest);
  const T log_slope = log(derivative) - 2.0 * log(denominator);
  if (inverse) return {a[Bin::left] + place * a[Bin::width], 0.0 * log_slope - log_slope};
  return {a[Bin::bottom] + a[Bin::height] * (slope * place * place + a[Bin::slope_left] * both) / denominator,
          log_slope};
}

/// Splines with their knots, in float64.
class Splines {
 public:
  Splines(const Tensor& widths, const Tensor& heights, const Tensor& derivatives, const SplineOptions& options)
      : bins_(widths.size(1)),
        options_(options),
        widths_(widths.to_doubles()),
        heights_(heights.to_doubles()),
        derivatives_(derivatives.to_doubles()),
        lefts_(knots(widths_)),
        bottoms_(knots(heights_)) {}

  bool is_inside(double x) const { return x >= -options_.bound && x <= options_.bound; }

  /// The bin of x in a spline.
  int64_t bin(int64_t spline, double x) const {
    const double* from = (options_.inverse ? bottoms_ : lefts_).data() + spline * bins_;
    int64_t bin = 0;
    while (bin + 1 < bins_ && x >= from[bin + 1] + options_.knot_shift) ++bin;
    return bin;
  }

  Bin::Values in(int64_t spline, int64_t bin, double x) const {
    const auto i = static_cast<size_t>(spline * bins_ + bin);
    const auto inner = static_cast<size_t>(spline * (bins_ - 1) + bin);
    const double scale = 2.0 * options_.bound;
    return {x,
            lefts_[i],
            scale * widths_[i],
            bottoms_[i],
            scale * heights_[i],
            bin == 0 ? options_.edge_derivative : derivatives_[inner - 1],
            bin + 1 == bins_ ? options_.edge_derivative : derivatives_[inner]};
  }

 private:
  /// The lower end of each bin.
  std::vector<double> knots(const std::vector<double>& lengths) const {
    std::vector<double> ends(lengths.size());
    double sum = 0.0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      if (i % static_cast<size_t>(bins_) == 0) sum = 0.0;
      ends[i] = 2.0 * options_.bound * sum - options_.bound;
      sum += lengths[i];
    }
    return ends;
  }

  int64_t bins_;
  SplineOptions options_;
  std::vector<double> widths_, heights_, derivatives_;
  std::vector<double> lefts_, bottoms_;
};

/// Gradients of x, widths, heights and derivatives.
std::vector<Tensor> gradients(const Splines& splines, const Tensor& x, const Tensor& widths, const Tensor& derivatives,
                              const Tensor& gradient, const SplineOptions& options) {
  const int64_t count = widths.size(0), bins = widths.size(1), repeats = x.numel() / count;
  const std::vector<double> values = x.to_doubles(), by = gradient.to_doubles();
  std::vector<double> of_x(values.size());
  std::vector<double> of_widths(static_cast<size_t>(count * bins)), of_heights(of_widths.size()),
      of_derivatives(static_cast<size_t>(count * (bins - 1)));
  parallel_for(count, splines_of_share, [&](int64_t begin, int64_t end) {
    for (int64_t spline = begin; spline < end; ++spline) {
      for (int64_t i = spline * repeats; i < (spline + 1) * repeats; ++i) {
        const auto place = static_cast<size_t>(i);
        if (!splines.is_inside(values[place])) {
          of_x[place] = by[2 * place];
          continue;
        }
        const int64_t bin = splines.bin(spline, values[place]);
        const Bin::Values plain = splines.in(spline, bin, values[place]);
        std::array<Dual, Bin::arguments> dual;
        for (size_t k = 0; k < Bin::arguments; ++k) dual[k] = Dual::of(plain[k], static_cast<Bin::Argument>(k));
        const auto [y, log_slope] = in_bin(dual, options.inverse);
        Bin::Values sum;
        for (size_t k = 0; k < Bin::arguments; ++k)
          sum[k] = by[2 * place] * y.by[k] + by[2 * place + 1] * log_slope.by[k];
        of_x[place] = sum[Bin::at];
        // A bin's lower end is the sum of the lengths before it.
        const double scale = 2.0 * options.bound;
        const auto first = static_cast<size_t>(spline * bins), own = first + static_cast<size_t>(bin);
        for (size_t k = first; k < own; ++k) {
          of_widths[k] += scale * sum[Bin::left];
          of_heights[k] += scale * sum[Bin::bottom];
        }
        of_widths[own] += scale * sum[Bin::width];
        of_heights[own] += scale * sum[Bin::height];
        const auto inner = static_cast<size_t>(spline * (bins - 1) + bin);
        if (bin > 0) of_derivatives[inner - 1] += sum[Bin::slope_left];
        if (bin + 1 < bins) of_derivatives[inner] += sum[Bin::slope_right];
      }
    }
  });
  const auto tensor = [&](const std::vector<double>& of, const Shape& shape) {
    return Tensor::from_host(of, shape, x.dtype(), x.device());
  };
  return {tensor(of_x, x.shape()), tensor(of_widths, widths.shape()), tensor(of_heights, widths.shape()),
          tensor(of_derivatives, derivatives.shape())};
}

}  // namespace

Tensor rational_quadratic(const Tensor& x, const Tensor& widths, const Tensor& heights, const Tensor& derivatives,
                          const SplineOptions& options) {
  const bool fits = x.rank() == 1 && widths.rank() == 2 && heights.shape() == widths.shape() &&
                    derivatives.shape() == Shape{widths.size(0), widths.size(1) - 1} && widths.size(0) > 0 &&
                    x.numel() % widths.size(0) == 0;
  if (!fits) {
    throw Error(
        fmt::format("[rational_quadratic] expected x [n · r], widths and heights [n, bins], derivatives [n, "
                    "bins − 1], found {}, {}, {}, {}",
                    x.shape().str(), widths.shape().str(), heights.shape().str(), derivatives.shape().str()));
  }
  const Splines splines(widths, heights, derivatives, options);
  const std::vector<double> values = x.to_doubles();
  const int64_t repeats = x.numel() / widths.size(0);
  std::vector<double> found(2 * values.size(), 0.0);
  parallel_for(widths.size(0), splines_of_share, [&](int64_t begin, int64_t end) {
    for (int64_t spline = begin; spline < end; ++spline) {
      for (int64_t i = spline * repeats; i < (spline + 1) * repeats; ++i) {
        const auto place = static_cast<size_t>(i);
        found[2 * place] = values[place];
        if (!splines.is_inside(values[place])) continue;
        const auto [y, log_slope] =
            in_bin(splines.in(spline, splines.bin(spline, values[place]), values[place]), options.inverse);
        found[2 * place] = y;
        found[2 * place + 1] = log_slope;
      }
    }
  });
  const Tensor y = Tensor::from_host(found, {x.numel(), 2}, x.dtype(), x.device());
  if (!autograd::needs_gradient({&x, &widths, &heights, &derivatives})) return y;
  return autograd::record(
      "rational_quadratic", y, {x, widths, heights, derivatives},
      [splines, x = x.detach(), widths = widths.detach(), derivatives = derivatives.detach(),
       options](const Tensor& gradient) { return gradients(splines, x, widths, derivatives, gradient, options); });
}

}  // namespace astroclip::probe
