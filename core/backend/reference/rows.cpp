#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/reference/reference_backend.h"

namespace astroclip::reference {

namespace {

double dot(const double* a, const double* b, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

double log_sum_exp_of(const double* x, int64_t count) {
  const double top = *std::max_element(x, x + count);
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(x[i] - top);
  return top + std::log(sum);
}

int64_t rows_of(const Shape& shape) { return shape[-1] == 0 ? 0 : shape.numel() / shape[-1]; }

}  // namespace

void ReferenceBackend::layer_norm(const LayerNormArguments& a) {
  const int64_t width = a.x.shape[-1];
  const double *weight = a.weight.as<double>(), *bias = a.bias.as<double>();
  for (int64_t row = 0; row < rows_of(a.x.shape); ++row) {
    const double* in = a.x.as<double>() + row * width;
    double* out = a.y.as<double>() + row * width;
    double mean = 0.0, variance = 0.0;
    for (int64_t i = 0; i < width; ++i) mean += in[i] / static_cast<double>(width);
    for (int64_t i = 0; i < width; ++i) variance += (in[i] - mean) * (in[i] - mean) / static_cast<double>(width);
    const double inverse = 1.0 / std::sqrt(variance + a.epsilon);
    for (int64_t i = 0; i < width; ++i) out[i] = (in[i] - mean) * inverse * weight[i] + bias[i];
    if (a.mean) a.mean.as<double>()[row] = mean;
    if (a.inverse_deviation) a.inverse_deviation.as<double>()[row] = inverse;
  }
}

void ReferenceBackend::layer_norm_backward(const LayerNormBackwardArguments& a) {
  const int64_t width = a.x.shape[-1];
  const double* weight = a.weight.as<double>();
  double *dweight = a.dweight.as<double>(), *dbias = a.dbias.as<double>();
  std::fill_n(dweight, width, 0.0);
  std::fill_n(dbias, width, 0.0);
  for (int64_t row = 0; row < rows_of(a.x.shape); ++row) {
    const double* dy = a.dy.as<double>() + row * width;
    const double* in = a.x.as<double>() + row * width;
    double* dx = a.dx.as<double>() + row * width;
    const double mean = a.mean.as<double>()[row], inverse = a.inverse_deviation.as<double>()[row];
    double sum = 0.0, weighted = 0.0;  // means of the normalised value's gradient, plain and times that value
    for (int64_t i = 0; i < width; ++i) {
      const double normalised = (in[i] - mean) * inverse;
      const double inner = dy[i] * weight[i];
      sum += inner / static_cast<double>(width);
      weighted += inner * normalised / static_cast<double>(width);
      dweight[i] += dy[i] * normalised;
      dbias[i] += dy[i];
    }
    for (int64_t i = 0; i < width; ++i) {
      const double normalised = (in[i] - mean) * inverse;
      const double gathered = a.gathered ? a.gathered.as<double>()[row * width + i] : 0.0;
      dx[i] = inverse * (dy[i] * weight[i] - sum - normalised * weighted) + gathered;
    }
  }
  if (a.rounded) cast(a.dx, a.rounded);
}

void ReferenceBackend::softmax(ConstView x, ConstView shift, double scale, View y) {
  const int64_t width = x.shape[-1];
  for (int64_t row = 0; row < rows_of(x.shape); ++row) {
    double* out = y.as<double>() + row * width;
    for (int64_t i = 0; i < width; ++i) {
      out[i] = scale * (x.as<double>()[row * width + i] - (shift ? shift.as<double>()[i] : 0.0));
    }
    const double lse = log_sum_exp_of(out, width);
    for (int64_t i = 0; i < width; ++i) out[i] = std::exp(out[i] - lse);
  }
}

void ReferenceBackend::softmax_backward(ConstView dy, ConstView y, View dx) {
  const int64_t width = y.shape[-1];
  for (int64_t row = 0; row < rows_of(y.shape); ++row) {
    const double* p = y.as<double>() + row * width;
    const double* gradient = dy.as<double>() + row * width;
    const double weighted = dot(p, gradient, width);
    for (int64_t i = 0; i < width; ++i) dx.as<double>()[row * width + i] = p[i] * (gradient[i] - weighted);
  }
}

void ReferenceBackend::log_sum_exp(ConstView x, View y) {
  const int64_t width = x.shape[-1];
  for (int64_t row = 0; row < rows_of(x.shape); ++row) {
    y.as<double>()[row] = log_sum_exp_of(x.as<double>() + row * width, width);
  }
}

void ReferenceBackend::cross_entropy(ConstView logits, ConstView targets, View loss, View log_sum_exp) {
  const int64_t width = logits.shape[-1];
  for (int64_t row = 0; row < rows_of(logits.shape); ++row) {
    const double* in = logits.as<double>() + row * width;
    const double lse = log_sum_exp_of(in, width);
    log_sum_exp.as<double>()[row] = lse;
    loss.as<double>()[row] = lse - in[targets.as<int64_t>()[row]];
  }
}

void ReferenceBackend::cross_entropy_backward(ConstView logits, ConstView targets, ConstView log_sum_exp,
                                              ConstView dloss, View dlogits) {
  const int64_t width = logits.shape[-1];
  for (int64_t row = 0; row < rows_of(logits.shape); ++row) {
    for (int64_t i = 0; i < width; ++i) {
      const double p = std::exp(logits.as<double>()[row * width + i] - log_sum_exp.as<double>()[row]);
      const double hit = targets.as<int64_t>()[row] == i ? 1.0 : 0.0;
      dlogits.as<double>()[row * width + i] = (p - hit) * dloss.as<double>()[row];
    }
  }
}

void ReferenceBackend::normalize_rows(ConstView x, double epsilon, View y, View norm) {
  const int64_t width = x.shape[-1];
  for (int64_t row = 0; row < rows_of(x.shape); ++row) {
    const double* in = x.as<double>() + row * width;
    const double length = std::sqrt(dot(in, in, width));
    norm.as<double>()[row] = length;
    for (int64_t i = 0; i < width; ++i) y.as<double>()[row * width + i] = in[i] / std::max(length, epsilon);
  }
}

void ReferenceBackend::normalize_rows_backward(ConstView dy, ConstView y, ConstView norm, double epsilon, View dx) {
  const int64_t width = y.shape[-1];
  for (int64_t row = 0; row < rows_of(y.shape); ++row) {
    const double* gradient = dy.as<double>() + row * width;
    const double* unit = y.as<double>() + row * width;
    const double length = norm.as<double>()[row];
    // Below epsilon the divisor is constant, so nothing flows through the norm.
    const double along = length > epsilon ? dot(gradient, unit, width) : 0.0;
    for (int64_t i = 0; i < width; ++i) {
      dx.as<double>()[row * width + i] = (gradient[i] - along * unit[i]) / std::max(length, epsilon);
    }
  }
}

void ReferenceBackend::soft_cross_entropy(const SoftCrossEntropyArguments& a) {
  const int64_t width = a.logits.shape[1], most = a.against.shape[1];
  for (int64_t row = 0; row < a.logits.shape[0]; ++row) {
    std::vector<double> scaled(static_cast<size_t>(width));
    for (int64_t i = 0; i < width; ++i) scaled[i] = a.logits.as<double>()[row * width + i] / a.temperature;
    const double lse = log_sum_exp_of(scaled.data(), width);
    double error = 0.0, total = 0.0;
    for (int64_t j = 0; j < most; ++j) {
      const int64_t target = a.against.as<int64_t>()[row * most + j];
      for (int64_t i = 0; target >= 0 && i < width; ++i) {
        const double share = a.targets.as<double>()[target * width + i];
        error += share * (lse - scaled[i]);
        total += share;
      }
    }
    a.loss.as<double>()[row] = error;
    a.log_sum_exp.as<double>()[row] = lse;
    a.mass.as<double>()[row] = total;
  }
}

void ReferenceBackend::soft_cross_entropy_backward(const SoftCrossEntropyBackwardArguments& a) {
  const int64_t width = a.logits.shape[1], most = a.against.shape[1];
  for (int64_t row = 0; row < a.logits.shape[0]; ++row) {
    for (int64_t i = 0; i < width; ++i) {
      const double scaled = a.logits.as<double>()[row * width + i] / a.temperature;
      double difference = a.mass.as<double>()[row] * std::exp(scaled - a.log_sum_exp.as<double>()[row]);
      for (int64_t j = 0; j < most; ++j) {
        const int64_t target = a.against.as<int64_t>()[row * most + j];
        if (target >= 0) difference -= a.targets.as<double>()[target * width + i];
      }
      a.dlogits.as<double>()[row * width + i] = difference * a.dloss.as<double>()[row] / a.temperature;
    }
  }
}

void ReferenceBackend::weight_norm(ConstView x, ConstView length, double epsilon, View y, View norm) {
  normalize_rows(x, epsilon, y, norm);
  const int64_t width = x.shape[-1];
  for (int64_t i = 0; i < x.numel(); ++i) y.as<double>()[i] *= length.as<double>()[i / width];
}

void ReferenceBackend::weight_norm_backward(const WeightNormBackwardArguments& a) {
  const int64_t width = a.x.shape[-1];
  for (int64_t row = 0; row < rows_of(a.x.shape); ++row) {
    const double* in = a.x.as<double>() + row * width;
    const double* gradient = a.dy.as<double>() + row * width;
    const double norm = a.norm.as<double>()[row], divisor = std::max(norm, a.epsilon);
    const double flow = dot(gradient, in, width) / divisor;
    a.dlength.as<double>()[row] = flow;
    const double along = norm > a.epsilon ? flow : 0.0;
    for (int64_t i = 0; i < width; ++i) {
      const double across = gradient[i] - along * in[i] / divisor;
      a.dx.as<double>()[row * width + i] = a.length.as<double>()[row] * across / divisor;
    }
  }
}

}  // namespace astroclip::reference
