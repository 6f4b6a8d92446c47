#include "probe/sample.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

namespace astroclip::probe {

Standardiser::Standardiser(const Matrix& rows) {
  if (rows.rows == 0) throw Error("[standardise] there is no row to take means and deviations from");
  const auto count = static_cast<double>(rows.rows);
  for (int64_t column = 0; column < rows.columns; ++column) {
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < rows.rows; ++i) sum += rows.row(i)[static_cast<size_t>(column)];
    const double mean = sum / count;
    for (int64_t i = 0; i < rows.rows; ++i) {
      const double difference = rows.row(i)[static_cast<size_t>(column)] - mean;
      squares += difference * difference;
    }
    const double deviation = std::sqrt(squares / count);
    means_.push_back(mean);
    scales_.push_back(deviation > 1e-12 * (1.0 + std::abs(mean)) ? 1.0 / deviation : 0.0);
  }
}

Matrix Standardiser::operator()(const Matrix& rows) const {
  if (rows.columns != static_cast<int64_t>(means_.size())) {
    throw Error(fmt::format("[standardise] expected {} columns, found {}", means_.size(), rows.columns));
  }
  Matrix scaled = rows;
  for (size_t i = 0; i < scaled.values.size(); ++i) {
    const size_t column = i % means_.size();
    scaled.values[i] = static_cast<float>((scaled.values[i] - means_[column]) * scales_[column]);
  }
  return scaled;
}

Sample labelled(const Vectors& vectors, const std::vector<double>& labels, const std::vector<int64_t>& ids) {
  Sample sample;
  std::vector<int64_t> rows;
  for (size_t row = 0; row < vectors.objects.size(); ++row) {
    const auto object = static_cast<size_t>(vectors.objects[row]);
    if (!std::isfinite(labels.at(object))) continue;
    rows.push_back(static_cast<int64_t>(row));
    sample.labels.push_back(labels[object]);
    sample.ids.push_back(ids.at(object));
    sample.objects.push_back(vectors.objects[row]);
  }
  sample.features = select_rows(vectors.values, rows);
  return sample;
}

}  // namespace astroclip::probe
