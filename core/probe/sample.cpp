#include "probe/sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace astroclip::probe {

namespace {

double scale_of(double deviation, double mean) {
  return deviation > 1e-12 * (1.0 + std::abs(mean)) ? 1.0 / deviation : 0.0;
}

}  // namespace

Standardiser::Standardiser(const Matrix& rows, Standardisation how) {
  if (rows.rows == 0) throw Error("[standardise] there is no row to take means and deviations from");
  const auto columns = static_cast<size_t>(rows.columns);
  if (how == Standardisation::none) {
    *this = Standardiser(std::vector(columns, 0.0), std::vector(columns, 1.0));
    return;
  }
  if (how == Standardisation::whole) {
    const auto count = static_cast<double>(rows.values.size());
    double sum = 0.0, squares = 0.0;
    for (const float value : rows.values) sum += value;
    const double mean = sum / count;
    for (const float value : rows.values) squares += (value - mean) * (value - mean);
    means_.assign(columns, mean);
    scales_.assign(columns, scale_of(std::sqrt(squares / std::max(1.0, count - 1.0)), mean));
    return;
  }
  const auto count = static_cast<double>(rows.rows);
  for (int64_t column = 0; column < rows.columns; ++column) {
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < rows.rows; ++i) sum += rows.row(i)[static_cast<size_t>(column)];
    const double mean = sum / count;
    for (int64_t i = 0; i < rows.rows; ++i) {
      const double difference = rows.row(i)[static_cast<size_t>(column)] - mean;
      squares += difference * difference;
    }
    means_.push_back(mean);
    scales_.push_back(scale_of(std::sqrt(squares / count), mean));
  }
}

Standardiser::Standardiser(std::vector<double> means, std::vector<double> scales)
    : means_(std::move(means)), scales_(std::move(scales)) {}

Matrix Standardiser::operator()(const Matrix& rows) const {
  if (rows.columns != static_cast<int64_t>(means_.size())) {
    throw Error(fmt::format("[standardise] expected {} columns, found {}", means_.size(), rows.columns));
  }
  Matrix scaled = rows;
  for (auto row = scaled.values.begin(); row != scaled.values.end(); row += rows.columns) {
    for (size_t column = 0; column < means_.size(); ++column) {
      float& value = row[static_cast<std::ptrdiff_t>(column)];
      value = static_cast<float>((value - means_[column]) * scales_[column]);
    }
  }
  return scaled;
}

void ColumnMoments::add(const Matrix& rows) {
  const auto columns = static_cast<size_t>(rows.columns);
  if (count_ == 0 && rows.rows > 0) {
    shift_.assign(rows.values.begin(), rows.values.begin() + rows.columns);
    sums_.assign(columns, 0.0);
    squares_.assign(columns, 0.0);
  }
  for (int64_t i = 0; i < rows.rows; ++i) {
    const std::span<const float> row = rows.row(i);
    for (size_t column = 0; column < columns; ++column) {
      const double difference = row[column] - shift_[column];
      sums_[column] += difference;
      squares_[column] += difference * difference;
    }
  }
  count_ += rows.rows;
}

Standardiser ColumnMoments::standardiser(Standardisation how) const {
  const size_t columns = shift_.size();
  if (how == Standardisation::none) return {std::vector(columns, 0.0), std::vector(columns, 1.0)};
  std::vector<double> means, scales;
  const auto count = static_cast<double>(count_);
  for (size_t column = 0; column < columns; ++column) {
    const double mean = sums_[column] / count, variance = squares_[column] / count - mean * mean;
    means.push_back(shift_[column] + mean);
    scales.push_back(scale_of(std::sqrt(std::max(0.0, variance)), means.back()));
  }
  return {std::move(means), std::move(scales)};
}

Sample labelled(const Vectors& vectors, const LabelColumns& columns, const std::vector<int64_t>& ids) {
  Sample sample;
  sample.outputs = static_cast<int64_t>(columns.size());
  std::vector<int64_t> rows;
  for (size_t row = 0; row < vectors.objects.size(); ++row) {
    const auto object = static_cast<size_t>(vectors.objects[row]);
    const auto is_known = [&](const std::vector<double>* column) { return std::isfinite(column->at(object)); };
    if (!std::ranges::all_of(columns, is_known)) continue;
    rows.push_back(static_cast<int64_t>(row));
    for (const std::vector<double>* column : columns) sample.labels.push_back((*column)[object]);
    sample.ids.push_back(ids.at(object));
    sample.objects.push_back(vectors.objects[row]);
  }
  sample.features = select_rows(vectors.values, rows);
  sample.tokens = vectors.tokens;
  return sample;
}

}  // namespace astroclip::probe
