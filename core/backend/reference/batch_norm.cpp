#include <algorithm>
#include <cmath>

#include "backend/reference/reference_backend.h"

namespace astroclip::reference {

namespace {

/// Calls body(group · channels + channel, channel, at) for each group and channel; at(row) is an element's place.
template <class Body>
void for_each_column(const Shape& x, const Body& body) {
  const int64_t rows = x[1], channels = x[2];
  for (int64_t i = 0; i < x[0] * channels; ++i) {
    const int64_t group = i / channels, channel = i % channels;
    body(i, channel, [=](int64_t row) { return (group * rows + row) * channels + channel; });
  }
}

}  // namespace

void ReferenceBackend::batch_norm(const BatchNormArguments& a) {
  const int64_t rows = a.x.shape[1];
  const double* x = a.x.as<double>();
  for_each_column(a.x.shape, [&](int64_t column, int64_t channel, const auto& at) {
    double mean = 0.0, variance = 0.0;
    for (int64_t row = 0; row < rows; ++row) mean += x[at(row)] / static_cast<double>(rows);
    for (int64_t row = 0; row < rows; ++row) variance += std::pow(x[at(row)] - mean, 2) / static_cast<double>(rows);
    const double factor = (a.weight ? a.weight.as<double>()[channel] : 1.0) / std::sqrt(variance + a.epsilon);
    const double shift = a.bias ? a.bias.as<double>()[channel] : 0.0;
    for (int64_t row = 0; row < rows; ++row) a.y.as<double>()[at(row)] = (x[at(row)] - mean) * factor + shift;
    a.mean.as<double>()[column] = mean;
    a.variance.as<double>()[column] = variance;
  });
}

void ReferenceBackend::batch_norm_backward(const BatchNormBackwardArguments& a) {
  const int64_t rows = a.x.shape[1];
  const double *x = a.x.as<double>(), *dy = a.dy.as<double>();
  if (a.weight) {
    std::fill_n(a.dweight.as<double>(), a.dweight.numel(), 0.0);
    std::fill_n(a.dbias.as<double>(), a.dbias.numel(), 0.0);
  }
  for_each_column(a.x.shape, [&](int64_t column, int64_t channel, const auto& at) {
    const double mean = a.mean.as<double>()[column];
    const double inverse = 1.0 / std::sqrt(a.variance.as<double>()[column] + a.epsilon);
    double sum = 0.0, weighted = 0.0;  // of dy, plain and times the normalised value
    for (int64_t row = 0; row < rows; ++row) {
      sum += dy[at(row)];
      weighted += dy[at(row)] * (x[at(row)] - mean) * inverse;
    }
    const double factor = inverse * (a.weight ? a.weight.as<double>()[channel] : 1.0);
    for (int64_t row = 0; row < rows; ++row) {
      const double normalised = (x[at(row)] - mean) * inverse;
      a.dx.as<double>()[at(row)] = factor * (dy[at(row)] - (sum + normalised * weighted) / static_cast<double>(rows));
    }
    if (!a.weight) return;
    a.dweight.as<double>()[channel] += weighted;
    a.dbias.as<double>()[channel] += sum;
  });
}

}  // namespace astroclip::reference
