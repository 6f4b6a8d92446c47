#include "search/pca.h"

#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/rng.h"
#include "ops/operators.h"

namespace astroclip::search {

namespace {

constexpr Device host = Device::host();
constexpr int64_t oversampling = 16;
constexpr int power_iterations = 3;

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Of a symmetric matrix, by falling eigenvalue.
struct Eigenpairs {
  Eigen::VectorXd values;
  RowMajor vectors;  ///< a row each
};

/// Of x xᵀ.
Eigenpairs gram_eigenpairs(const Tensor& x) {
  const std::vector<double> gram = ops::matmul_nt(x, x).to_doubles();
  const Eigen::SelfAdjointEigenSolver<RowMajor> solver(Eigen::Map<const RowMajor>(gram.data(), x.size(0), x.size(0)));
  return {solver.eigenvalues().reverse(), solver.eigenvectors().rowwise().reverse().transpose()};
}

Tensor tensor_of(const RowMajor& matrix) {
  return Tensor::from_host(std::span(matrix.data(), static_cast<size_t>(matrix.size())), {matrix.rows(), matrix.cols()},
                           DType::f32, host);
}

/// Orthonormal rows that span the rows of x [k, columns]: x's Gram matrix, diagonalised. Directions that carry nothing
/// become zero.
Tensor orthonormal_rows(const Tensor& x) {
  Eigenpairs pairs = gram_eigenpairs(x);
  for (Eigen::Index i = 0; i < pairs.values.size(); ++i) {
    const bool carries = pairs.values[i] > 1e-12 * pairs.values[0];
    pairs.vectors.row(i) *= carries ? 1.0 / std::sqrt(pairs.values[i]) : 0.0;
  }
  return ops::matmul(tensor_of(pairs.vectors), x);
}

/// Turns each row so that its largest element is positive: an eigenvector's sign is the solver's whim.
void fix_signs(Tensor& basis) {
  const int64_t columns = basis.size(1);
  for (int64_t row = 0; row < basis.size(0); ++row) {
    const std::span values(basis.mutable_data_as<float>() + row * columns, static_cast<size_t>(columns));
    if (*std::ranges::max_element(values, {}, [](float value) { return std::abs(value); }) >= 0.0f) continue;
    for (float& value : values) value = -value;
  }
}

}  // namespace

Pca Pca::fit(const Matrix& matrix, int64_t components, uint64_t seed) {
  const int64_t rows = matrix.rows, columns = matrix.columns;
  if (rows < 2) throw Error(fmt::format("[pca] needs at least two rows, found {}", rows));
  const autograd::NoGrad guard;
  const int64_t limit = std::min(rows - 1, columns);
  const int64_t kept = std::min(components, limit), width = std::min(kept + oversampling, limit);
  Pca pca;
  Tensor x = Tensor::from_host(matrix.values, {rows, columns}, DType::f32, host);
  pca.mean_ = ops::mean(x, {0});
  x = x - pca.mean_;

  Rng rng(seed, RngStream::probes);
  std::vector<double> start(static_cast<size_t>(width * rows));
  for (double& value : start) value = rng.normal();
  Tensor basis = orthonormal_rows(ops::matmul(Tensor::from_host(start, {width, rows}, DType::f32, host), x));
  for (int i = 0; i < power_iterations; ++i) {
    const Tensor left = orthonormal_rows(ops::matmul_nt(basis, x));  // [width, rows]
    basis = orthonormal_rows(ops::matmul(left, x));
  }
  const Tensor scores = ops::matmul_nt(basis, x);  // [width, rows]
  const Eigenpairs pairs = gram_eigenpairs(scores);
  pca.basis_ = ops::matmul(tensor_of(pairs.vectors.topRows(kept)), basis);
  fix_signs(pca.basis_);
  const Eigen::VectorXd variances = pairs.values.head(kept) / static_cast<double>(rows - 1);
  pca.variances_.assign(variances.begin(), variances.end());
  return pca;
}

Matrix Pca::transform(const Matrix& rows) const {
  const autograd::NoGrad guard;
  const Tensor x = Tensor::from_host(rows.values, {rows.rows, rows.columns}, DType::f32, host);
  return {rows.rows, components(), ops::matmul_nt(x - mean_, basis_).to_floats()};
}

}  // namespace astroclip::search
