#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/tape.h"
#include "base/finite.h"
#include "base/threads.h"
#include "ops/ops.h"
#include "search/products_internal.h"

namespace astroclip::search {

std::vector<float> centre_of(const Matrix& rows) {
  constexpr int64_t sampled = 4096;
  std::vector<double> sums(static_cast<size_t>(rows.columns));
  double count = 0.0;
  for (int64_t i = 0; i < rows.rows; i += std::max<int64_t>(1, rows.rows / sampled)) {
    const auto row = rows.row(i);
    if (!all_finite(row)) continue;
    for (size_t column = 0; column < sums.size(); ++column) sums[column] += static_cast<double>(row[column]);
    ++count;
  }
  std::vector<float> centre;
  for (const double sum : sums) centre.push_back(static_cast<float>(sum / std::max(count, 1.0)));
  return centre;
}

Centred::Centred(const Matrix& rows, std::vector<float> centre)
    : rows_(rows), centre_(std::move(centre)), norms_(static_cast<size_t>(rows.rows)) {
  const std::vector<double> middle(centre_.begin(), centre_.end());
  parallel_for(rows.rows, 64, [&](int64_t begin, int64_t end) {
    std::array<const float*, sums_at_once> some;
    for (int64_t first = begin; first < end; first += std::ssize(some)) {
      for (size_t i = 0; i < some.size(); ++i) {
        some[i] = rows.row(std::min(first + static_cast<int64_t>(i), end - 1)).data();
      }
      const auto squares = exact_sums<sums_at_once>(rows.columns, [&](size_t pair, int64_t i) {
        const double difference = double{some[pair][i]} - middle[static_cast<size_t>(i)];
        return difference * difference;
      });
      for (int64_t i = first; i < std::min(first + std::ssize(some), end); ++i) {
        const double norm = std::sqrt(squares[static_cast<size_t>(i - first)]);
        norms_[static_cast<size_t>(i)] = std::isnan(norm) ? std::numeric_limits<double>::infinity() : norm;
      }
    }
  });
}

double Centred::largest_norm(int64_t begin, int64_t end) const {
  double largest = 0.0;
  for (int64_t i = begin; i < end; ++i) {
    if (std::isfinite(norm(i))) largest = std::max(largest, norm(i));
  }
  return largest;
}

Tensor Centred::block(int64_t begin, int64_t end, float scale) const {
  Tensor block = Tensor::empty({end - begin, columns()}, DType::f32, Device::host());
  auto* values = block.mutable_data_as<float>();
  parallel_for(end - begin, 64, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const float* row = rows_.row(begin + i).data();
      float* out = values + i * columns();
      if (!std::isfinite(norm(begin + i))) {
        std::fill_n(out, columns(), 0.0f);
        continue;
      }
      // The scale is a power of two, so that only the difference rounds, and never overflows.
      for (int64_t column = 0; column < columns(); ++column) {
        out[column] = row[column] * scale - centre_[static_cast<size_t>(column)] * scale;
      }
    }
  });
  return block;
}

float common_scale(const Centred& a, const Centred& b) {
  const double largest = std::max(a.largest_norm(0, a.rows()), b.largest_norm(0, b.rows()));
  return largest > 0.0 ? std::ldexp(1.0f, std::clamp(-std::ilogb(largest), -126, 126)) : 1.0f;
}

Tensor products(const Tensor& x, const Tensor& w) {
  const autograd::NoGrad no_grad;
  const ops::PrecisionScope precision(Precision::f32);
  return ops::linear(x, w, {});
}

double product_error(int64_t columns, double norm_a, double norm_b, double scale) {
  // Four roundings more than the product's: each factor's centring, and their products.
  const double roundings = static_cast<double>(columns + 4) * float_roundoff;
  const double underflow = static_cast<double>(columns) * 0x1p-110 / (scale * scale);
  return roundings / std::max(1.0 - roundings, 0.0) * norm_a * norm_b + underflow;
}

}  // namespace astroclip::search
