#include "map/placer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/rng.h"
#include "nn/layers.h"
#include "ops/operators.h"
#include "optim/adamw.h"
#include "optim/schedule.h"

namespace astroclip::map {

namespace {

constexpr int64_t hidden = 256, rows_at_once = 1 << 14;
constexpr double learning_rate = 1e-3, last_rate = 1e-6;
constexpr int64_t steps_of_warmup = 100;
constexpr int64_t steps_between = 16;  // what is told of progress

Tensor tensor_of(const Matrix& matrix) {
  return Tensor::from_host(matrix.values, {matrix.rows, matrix.columns}, DType::f32, Device::host());
}

/// Means and deviations of columns.
void measure(const Matrix& rows, std::vector<double>& means, std::vector<double>& deviations) {
  const auto columns = static_cast<size_t>(rows.columns);
  const auto count = static_cast<double>(rows.rows);
  means.assign(columns, 0.0);
  deviations.assign(columns, 0.0);
  for (size_t i = 0; i < rows.values.size(); ++i) means[i % columns] += double{rows.values[i]} / count;
  for (size_t i = 0; i < rows.values.size(); ++i) {
    deviations[i % columns] += std::pow(double{rows.values[i]} - means[i % columns], 2) / count;
  }
  for (double& deviation : deviations) deviation = std::sqrt(deviation);
}

}  // namespace

std::optional<std::array<double, 2>> place_among(std::span<const float> positions,
                                                 std::span<const Similar> neighbours) {
  constexpr double same = 1e-7;  // of distances, as float32 vectors of one object give
  std::array<double, 2> sum = {};
  double weights = 0.0;
  bool is_same = false;
  for (const auto& [row, cosine] : neighbours) {
    const auto at = static_cast<size_t>(2 * row);
    if (!std::isfinite(positions[at])) continue;
    const double distance = std::sqrt(std::max(0.0, 2.0 - 2.0 * cosine));
    if (distance <= same && !is_same) {
      is_same = true;
      sum = {};
      weights = 0.0;
    }
    if (is_same && distance > same) continue;
    const double weight = is_same ? 1.0 : 1.0 / distance;
    for (size_t axis = 0; axis < 2; ++axis) sum[axis] += weight * double{positions[at + axis]};
    weights += weight;
  }
  if (weights == 0.0) return std::nullopt;
  return std::array{sum[0] / weights, sum[1] / weights};
}

Placer::Placer(const Matrix& rows, const Matrix& positions, const Options& options,
               const std::function<void(double share)>& progress) {
  if (rows.rows == 0 || rows.rows != positions.rows || positions.columns != 2) {
    throw Error(fmt::format("[placer] expected as many positions as rows, found {} × {} and {} rows", positions.rows,
                            positions.columns, rows.rows));
  }
  measure(rows, means_, factors_);
  for (double& factor : factors_) factor = factor > 0.0 ? 1.0 / factor : 0.0;
  measure(positions, centre_, extent_);
  Matrix targets = positions;
  for (size_t i = 0; i < targets.values.size(); ++i) {
    const double extent = extent_[i % 2] > 0.0 ? extent_[i % 2] : 1.0;
    targets.values[i] = static_cast<float>((double{targets.values[i]} - centre_[i % 2]) / extent);
  }
  network_ = std::make_unique<nn::Mlp>(rows.columns, std::vector<int64_t>{hidden, hidden, 2});
  network_->materialize(Device::host(), options.seed, "placer");
  optim::Adamw adam(network_->parameters(), {});
  network_->set_training(true);
  const int64_t batch = std::min(options.batch, rows.rows), batches = rows.rows / batch;
  std::vector<int64_t> order(static_cast<size_t>(rows.rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t step = 0; step < options.steps; ++step) {
    const int64_t at = step % batches;
    if (at == 0) {
      Rng rng(options.seed ^ stable_hash("placer"), RngStream::batches, static_cast<uint64_t>(step / batches));
      rng.shuffle(std::span(order));
    }
    const auto some =
        std::span<const int64_t>(order).subspan(static_cast<size_t>(at * batch), static_cast<size_t>(batch));
    const Tensor error =
        (*network_)(tensor_of(scaled(select_rows(rows, some)))) - tensor_of(select_rows(targets, some));
    autograd::backward(ops::mean(ops::square(error)));
    adam.step({optim::warmup_cosine(step, learning_rate, last_rate, steps_of_warmup, options.steps)});
    if (progress && step % steps_between == 0) progress(static_cast<double>(step) / static_cast<double>(options.steps));
  }
  network_->set_training(false);
}

Placer::~Placer() = default;

Matrix Placer::scaled(const Matrix& rows) const {
  Matrix scaled = rows;
  const auto columns = static_cast<size_t>(rows.columns);
  for (size_t i = 0; i < scaled.values.size(); ++i) {
    scaled.values[i] = static_cast<float>((double{scaled.values[i]} - means_[i % columns]) * factors_[i % columns]);
  }
  return scaled;
}

Matrix Placer::place(const Matrix& rows) const {
  if (rows.columns != std::ssize(means_))
    throw Error(fmt::format("[placer] expected rows of {} columns, found {}", means_.size(), rows.columns));
  const autograd::NoGrad guard;
  Matrix positions{rows.rows, 2, {}};
  for (int64_t begin = 0; begin < rows.rows; begin += rows_at_once) {
    std::vector<int64_t> some(static_cast<size_t>(std::min(rows_at_once, rows.rows - begin)));
    std::iota(some.begin(), some.end(), begin);
    const std::vector<float> placed = (*network_)(tensor_of(scaled(select_rows(rows, some)))).to_floats();
    positions.values.insert(positions.values.end(), placed.begin(), placed.end());
  }
  for (size_t i = 0; i < positions.values.size(); ++i) {
    const double extent = extent_[i % 2] > 0.0 ? extent_[i % 2] : 1.0;
    positions.values[i] = static_cast<float>(double{positions.values[i]} * extent + centre_[i % 2]);
  }
  return positions;
}

}  // namespace astroclip::map
