#include "probe/spread.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

namespace astroclip::probe {

namespace {

constexpr double smallest_length = 1e-12;

using MatrixOfRows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

MatrixOfRows in_doubles(const Matrix& rows) {
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const Floats>(rows.values.data(), rows.rows, rows.columns).cast<double>();
}

}  // namespace

double effective_rank(const Matrix& rows) {
  const MatrixOfRows x = in_doubles(rows);
  const MatrixOfRows gram =
      rows.rows < rows.columns ? MatrixOfRows(x * x.transpose()) : MatrixOfRows(x.transpose() * x);
  if (!gram.allFinite()) return std::nan("");
  const Eigen::SelfAdjointEigenSolver<MatrixOfRows> solver(gram, Eigen::EigenvaluesOnly);
  const Eigen::VectorXd singular = solver.eigenvalues().cwiseMax(0.0).cwiseSqrt();
  const double total = singular.sum();
  double entropy = 0.0;
  for (const double value : singular) {
    if (value > 0.0) entropy -= value / total * std::log(value / total);
  }
  return std::exp(entropy);
}

double feature_deviation(const Matrix& rows) {
  MatrixOfRows unit = in_doubles(rows);
  for (auto row : unit.rowwise()) row /= std::max(row.norm(), smallest_length);
  const MatrixOfRows centred = unit.rowwise() - unit.colwise().mean();
  const Eigen::VectorXd variance = centred.colwise().squaredNorm() / static_cast<double>(rows.rows);
  return std::sqrt(static_cast<double>(rows.columns)) * variance.cwiseSqrt().mean();
}

}  // namespace astroclip::probe
