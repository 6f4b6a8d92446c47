#include "search/pca.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/rng.h"
#include "ops/ops.h"

namespace astroclip::search {

namespace {

constexpr Device host = Device::host();
constexpr int64_t oversampling = 16;
constexpr int power_iterations = 3;

/// A symmetric matrix's eigenvectors (as rows) and eigenvalues, by falling eigenvalue: cyclic Jacobi rotations.
struct Eigen {
  std::vector<double> values;
  std::vector<double> vectors;  // [n, n], a row each
};

/// Rotates rows and columns p, q of `a` so that a[p, q] vanishes, and the rows of `v` with them.
void rotate(std::vector<double>& a, std::vector<double>& v, size_t n, size_t p, size_t q) {
  const double off = a[p * n + q];
  if (off == 0.0) return;
  const double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
  const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::sqrt(theta * theta + 1.0));
  const double c = 1.0 / std::sqrt(t * t + 1.0), s = t * c;
  const auto turn = [&](double& x, double& y) {
    const double old = x;
    x = c * old - s * y;
    y = s * old + c * y;
  };
  for (size_t i = 0; i < n; ++i) turn(a[i * n + p], a[i * n + q]);
  for (size_t i = 0; i < n; ++i) turn(a[p * n + i], a[q * n + i]);
  for (size_t i = 0; i < n; ++i) turn(v[p * n + i], v[q * n + i]);
}

Eigen symmetric_eigen(std::vector<double> a, size_t n) {
  std::vector<double> v(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) v[i * n + i] = 1.0;
  for (int sweep = 0; sweep < 30; ++sweep) {
    double off = 0.0, all = 0.0;
    for (size_t i = 0; i < n * n; ++i) (i / n == i % n ? all : off) += a[i] * a[i];
    if (off <= 1e-24 * all) break;
    for (size_t p = 0; p < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) rotate(a, v, n, p, q);
    }
  }
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t i, size_t j) { return a[i * n + i] > a[j * n + j]; });
  Eigen eigen;
  for (const size_t i : order) {
    eigen.values.push_back(a[i * n + i]);
    eigen.vectors.insert(eigen.vectors.end(), v.begin() + static_cast<std::ptrdiff_t>(i * n),
                         v.begin() + static_cast<std::ptrdiff_t>((i + 1) * n));
  }
  return eigen;
}

/// Orthonormal rows that span the rows of x [k, columns]: x's Gram matrix, diagonalised. Directions that carry nothing
/// become zero.
Tensor orthonormal_rows(const Tensor& x) {
  const auto k = static_cast<size_t>(x.size(0));
  const Eigen eigen = symmetric_eigen(ops::matmul(x, x, false, true).to_doubles(), k);
  std::vector<double> mix(k * k);
  for (size_t i = 0; i < k; ++i) {
    const bool carries = eigen.values[i] > 1e-12 * eigen.values[0];
    const double scale = carries ? 1.0 / std::sqrt(eigen.values[i]) : 0.0;
    for (size_t j = 0; j < k; ++j) mix[i * k + j] = scale * eigen.vectors[i * k + j];
  }
  const auto extent = static_cast<int64_t>(k);
  return ops::matmul(Tensor::from_host(mix, {extent, extent}, DType::f32, host), x);
}

}  // namespace

Pca Pca::fit(std::span<const float> values, int64_t rows, int64_t columns, int64_t components, uint64_t seed) {
  if (rows < 2) throw Error(fmt::format("[pca] needs at least two rows, found {}", rows));
  const autograd::NoGrad guard;
  const int64_t limit = std::min(rows - 1, columns);
  const int64_t kept = std::min(components, limit), width = std::min(kept + oversampling, limit);
  Pca pca;
  Tensor x = Tensor::from_host(values, {rows, columns}, DType::f32, host);
  pca.mean_ = ops::mean(x, {0});
  x = ops::subtract(x, pca.mean_);

  Rng rng(seed, Purpose::probes);
  std::vector<double> start(static_cast<size_t>(width * rows));
  for (double& value : start) value = rng.normal();
  Tensor basis = orthonormal_rows(ops::matmul(Tensor::from_host(start, {width, rows}, DType::f32, host), x));
  for (int i = 0; i < power_iterations; ++i) {
    const Tensor left = orthonormal_rows(ops::matmul(basis, x, false, true));  // [width, rows]
    basis = orthonormal_rows(ops::matmul(left, x));
  }
  const Tensor scores = ops::matmul(basis, x, false, true);  // [width, rows]
  const Eigen eigen =
      symmetric_eigen(ops::matmul(scores, scores, false, true).to_doubles(), static_cast<size_t>(width));
  const Tensor mix = Tensor::from_host(eigen.vectors, {width, width}, DType::f32, host).view_rows(0, kept);
  pca.basis_ = ops::matmul(mix, basis);
  for (int64_t i = 0; i < kept; ++i) {
    pca.variances_.push_back(eigen.values[static_cast<size_t>(i)] / static_cast<double>(rows - 1));
  }
  return pca;
}

std::vector<float> Pca::transform(std::span<const float> values, int64_t rows) const {
  const autograd::NoGrad guard;
  const Tensor x = Tensor::from_host(values, {rows, mean_.size(0)}, DType::f32, host);
  return ops::matmul(ops::subtract(x, mean_), basis_, false, true).to_floats();
}

}  // namespace astroclip::search
