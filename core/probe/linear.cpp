#include <Eigen/Dense>
#include <cmath>

#include "base/error.h"
#include "probe/restore_internal.h"

namespace astroclip::probe {

namespace {

using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using DoubleRows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::MatrixXd as_eigen(const Matrix& matrix) {
  return Eigen::Map<const FloatRows>(matrix.values.data(), matrix.rows, matrix.columns).cast<double>();
}

/// [objects, outputs]
Eigen::MatrixXd labels_of(const Sample& sample) {
  return Eigen::Map<const DoubleRows>(sample.labels.data(), sample.features.rows, sample.outputs);
}

/// Each row to its softmax; gives Σ over rows of weight · logΣexp.
double softmax_rows(Eigen::MatrixXd& logits, const Eigen::VectorXd& weight) {
  double sum = 0.0;
  for (Eigen::Index i = 0; i < logits.rows(); ++i) {
    const double largest = logits.row(i).maxCoeff();
    logits.row(i) = (logits.row(i).array() - largest).exp();
    const double total = logits.row(i).sum();
    logits.row(i) /= total;
    sum += weight[i] * (largest + std::log(total));
  }
  return sum;
}

/// x W + b, and the softmax of it where it is logistic.
class LinearProbe final : public Probe {
 public:
  /// weight [columns, outputs]
  LinearProbe(Eigen::MatrixXd weight, Eigen::RowVectorXd bias, bool is_logistic)
      : weight_(std::move(weight)), bias_(std::move(bias)), is_logistic_(is_logistic) {}

  std::vector<double> predict(const Matrix& features) const override {
    const Eigen::MatrixXd x = as_eigen(features);
    Eigen::MatrixXd found(x.rows(), weight_.cols());
    for (Eigen::Index output = 0; output < weight_.cols(); ++output) {
      found.col(output) = (x * weight_.col(output)).array() + bias_[output];
    }
    if (is_logistic_) softmax_rows(found, Eigen::VectorXd::Ones(x.rows()));
    const DoubleRows rows = found;
    return {rows.data(), rows.data() + rows.size()};
  }

  std::vector<NamedTensor> tensors() const override {
    const std::span weight(weight_.data(), static_cast<size_t>(weight_.size()));
    return {{"weight", Tensor::from_host(weight, {weight_.cols(), weight_.rows()}, DType::f64, Device::host())},
            {"bias", as_vector({bias_.data(), bias_.data() + bias_.size()})}};
  }

 private:
  Eigen::MatrixXd weight_;
  Eigen::RowVectorXd bias_;
  bool is_logistic_;
};

std::unique_ptr<Probe> restore_linear(const Tensors& tensors, bool is_logistic) {
  const Tensor &weight = tensor_of(tensors, "weight", 2), &bias = tensor_of(tensors, "bias", 1);
  if (weight.size(0) != bias.size(0)) throw Error("the probe's tensors 'weight' and 'bias' are of other outputs");
  const std::vector<double> weights = weight.to_doubles(), biases = bias.to_doubles();
  return std::make_unique<LinearProbe>(
      Eigen::Map<const Eigen::MatrixXd>(weights.data(), weight.size(1), weight.size(0)),
      Eigen::Map<const Eigen::RowVectorXd>(biases.data(), bias.size(0)), is_logistic);
}

/// Σ cross-entropy of shares + penalty/2 · |weight|², of weight and bias [columns + 1, outputs].
class LogisticLoss {
 public:
  LogisticLoss(const Sample& train, double penalty)
      : x_(train.features.rows, train.features.columns + 1), shares_(labels_of(train)), penalty_(penalty) {
    x_ << as_eigen(train.features), Eigen::VectorXd::Ones(x_.rows());
    total_ = shares_.rowwise().sum();
  }

  Eigen::MatrixXd zeros() const { return Eigen::MatrixXd::Zero(x_.cols(), shares_.cols()); }

  /// The loss; `gradient` and what `curved` needs are of the same parameters.
  double at(const Eigen::MatrixXd& parameters, Eigen::MatrixXd& gradient) {
    predicted_ = x_ * parameters;
    const double linear = (shares_.array() * predicted_.array()).sum();
    const double loss = softmax_rows(predicted_, total_) - linear;
    gradient = x_.transpose() * (predicted_.array().colwise() * total_.array() - shares_.array()).matrix();
    gradient.topRows(x_.cols() - 1) += penalty_ * parameters.topRows(x_.cols() - 1);
    return loss + 0.5 * penalty_ * parameters.topRows(x_.cols() - 1).squaredNorm();
  }

  /// The Hessian times a direction.
  Eigen::MatrixXd curved(const Eigen::MatrixXd& direction) const {
    const Eigen::MatrixXd change = x_ * direction;
    const Eigen::VectorXd mean = (predicted_.array() * change.array()).rowwise().sum();
    const Eigen::MatrixXd slope =
        predicted_.array() * (change.colwise() - mean).array() * total_.array().replicate(1, change.cols());
    Eigen::MatrixXd all = x_.transpose() * slope;
    all.topRows(x_.cols() - 1) += penalty_ * direction.topRows(x_.cols() - 1);
    return all;
  }

 private:
  Eigen::MatrixXd x_;       ///< with a column of ones
  Eigen::MatrixXd shares_;  ///< [objects, outputs]
  double penalty_;
  Eigen::VectorXd total_;      ///< of the shares of an object
  Eigen::MatrixXd predicted_;  ///< shares at the last parameters
};

/// Hessian⁻¹ · −gradient, as nearly as `tolerance` of the gradient's norm.
Eigen::MatrixXd newton_direction(const LogisticLoss& loss, const Eigen::MatrixXd& gradient, double tolerance) {
  constexpr int most_steps = 500;
  Eigen::MatrixXd direction = loss.zeros(), residual = -gradient, search = residual;
  double squares = residual.squaredNorm();
  const double enough = squares * tolerance * tolerance;
  for (int step = 0; step < most_steps && squares > enough; ++step) {
    const Eigen::MatrixXd curved = loss.curved(search);
    const double curvature = (search.array() * curved.array()).sum();
    if (curvature <= 0.0) break;
    const double length = squares / curvature;
    direction += length * search;
    residual -= length * curved;
    const double next = residual.squaredNorm();
    search = residual + next / squares * search;
    squares = next;
  }
  return direction;
}

}  // namespace

std::unique_ptr<Probe> fit_ridge(const Sample& train, double penalty) {
  Eigen::MatrixXd x = as_eigen(train.features);
  const Eigen::MatrixXd labels = labels_of(train);
  const Eigen::RowVectorXd centre = x.colwise().mean();
  x.rowwise() -= centre;
  Eigen::MatrixXd gram = x.transpose() * x;
  gram.diagonal().array() += penalty;
  const Eigen::LLT<Eigen::MatrixXd> factor = gram.llt();
  Eigen::MatrixXd weight(x.cols(), labels.cols());
  Eigen::RowVectorXd bias(labels.cols());
  for (Eigen::Index output = 0; output < labels.cols(); ++output) {
    Eigen::VectorXd y = labels.col(output);
    const double mean = y.mean();
    y.array() -= mean;
    weight.col(output) = factor.solve(x.transpose() * y);
    bias[output] = mean - centre.dot(weight.col(output));
  }
  return std::make_unique<LinearProbe>(std::move(weight), std::move(bias), false);
}

std::unique_ptr<Probe> fit_logistic(const Sample& train, double penalty) {
  constexpr int most_steps = 100;
  constexpr double small = 1e-9;  // gradient of the mean loss
  LogisticLoss loss(train, penalty);
  Eigen::MatrixXd parameters = loss.zeros(), gradient, moved_gradient;
  double value = loss.at(parameters, gradient);
  const double scale = static_cast<double>(train.features.rows);
  for (int step = 0; step < most_steps && gradient.cwiseAbs().maxCoeff() > small * scale; ++step) {
    const double tolerance = std::min(0.1, std::sqrt(gradient.norm() / scale));
    const Eigen::MatrixXd direction = newton_direction(loss, gradient, tolerance);
    const double slope = (direction.array() * gradient.array()).sum();
    double length = 1.0;
    Eigen::MatrixXd moved = parameters + direction;
    double there = loss.at(moved, moved_gradient);
    const double rounding = 1e-14 * std::abs(value);
    while (there > value + 1e-4 * length * slope + rounding && length > 1e-10) {
      length *= 0.5;
      moved = parameters + length * direction;
      there = loss.at(moved, moved_gradient);
    }
    if (there >= value && moved_gradient.norm() >= gradient.norm()) break;  // as near as doubles tell
    parameters = std::move(moved);
    gradient = moved_gradient;
    value = there;
  }
  const Eigen::Index columns = train.features.columns;
  return std::make_unique<LinearProbe>(parameters.topRows(columns), parameters.row(columns), true);
}

std::unique_ptr<Probe> restore_ridge(const Tensors& tensors) { return restore_linear(tensors, false); }
std::unique_ptr<Probe> restore_logistic(const Tensors& tensors) { return restore_linear(tensors, true); }

}  // namespace astroclip::probe
