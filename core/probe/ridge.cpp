#include <Eigen/Dense>

#include "probe/probes.h"

namespace astroclip::probe {

namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::MatrixXd as_eigen(const Matrix& matrix) {
  return Eigen::Map<const Rows>(matrix.values.data(), matrix.rows, matrix.columns).cast<double>();
}

}  // namespace

Fit ridge(const Sample& train, const Sample& test, double penalty) {
  Eigen::MatrixXd x = as_eigen(train.features);
  Eigen::VectorXd y =
      Eigen::Map<const Eigen::VectorXd>(train.labels.data(), static_cast<Eigen::Index>(train.labels.size()));
  const Eigen::RowVectorXd centre = x.colwise().mean();
  const double mean = y.mean();
  x.rowwise() -= centre;
  y.array() -= mean;
  Eigen::MatrixXd gram = x.transpose() * x;
  gram.diagonal().array() += penalty;
  const Eigen::VectorXd weight = gram.llt().solve(x.transpose() * y);
  const double bias = mean - centre.dot(weight);

  const Eigen::VectorXd predicted = (as_eigen(test.features) * weight).array() + bias;
  const Eigen::VectorXf rounded = weight.cast<float>();
  return {
      {predicted.begin(), predicted.end()},
      {{"weight", {1, weight.size(), {rounded.begin(), rounded.end()}}}, {"bias", {1, 1, {static_cast<float>(bias)}}}}};
}

}  // namespace astroclip::probe
