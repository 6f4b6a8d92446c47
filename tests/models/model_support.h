#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "api/loss.h"
#include "backend/backend.h"
#include "io/weights/safetensors.h"
#include "support/devices.h"
#include "support/fixtures.h"
#include "testing/plugins.h"

/// What the tests against published numbers share: plugins made from TOML text, weights loaded by name, comparison in
/// relative terms, on every backend present.
namespace astroclip::testing_support {

inline constexpr const char* tiny_vit =
    "image = 144\npatch = 12\ndim = 48\ndepth = 4\nheads = 4\nchunks = 2\n"
    "head = { width = 48, heads = 4, dropout = 0.0 }\n";
inline constexpr const char* tiny_specformer =
    "dim = 48\ndepth = 2\nheads = 3\nhead = { width = 48, heads = 4, dropout = 0.0, mlp_residual = true }\n";

/// Tensors of a fixture in the dtype of a device's backend.
class Fixture {
 public:
  Fixture(const std::string& name, Device device)
      : file_(io::SafetensorsFile::open(fixture(name + ".safetensors"))), device_(device) {}
  Tensor operator[](const std::string& name) const {
    return file_.read(name, backend_of(device_).compute_dtype(), device_);
  }
  std::vector<double> doubles(const std::string& name) const {
    return file_.read(name, DType::f64, {DeviceKind::reference}).to_doubles();
  }
  /// Every tensor whose name begins with `from`, under `to` in its place.
  std::vector<NamedTensor> all(const std::string& from = "", const std::string& to = "") const {
    std::vector<NamedTensor> tensors;
    for (const auto& entry : file_.entries()) {
      if (entry.name.starts_with(from)) tensors.push_back({to + entry.name.substr(from.size()), (*this)[entry.name]});
    }
    return tensors;
  }

 private:
  io::SafetensorsFile file_;
  Device device_;
};

/// Largest difference over the largest expected magnitude.
inline double relative_error(const std::vector<double>& found, const std::vector<double>& expected) {
  if (found.size() != expected.size()) return HUGE_VAL;
  double largest = 0.0, difference = 0.0;
  for (size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    difference = std::max(difference, std::abs(found[i] - expected[i]));
    if (!std::isfinite(found[i])) return HUGE_VAL;
  }
  return largest > 0.0 ? difference / largest : difference;
}

inline double relative_error(const Tensor& found, const Tensor& expected) {
  if (found.shape() != expected.shape()) return HUGE_VAL;
  return relative_error(found.to_doubles(), expected.to_doubles());
}

/// Norm of the difference over the norm of what was expected.
inline double relative_distance(const Tensor& found, const Tensor& expected) {
  if (found.shape() != expected.shape()) return HUGE_VAL;
  const std::vector<double> a = found.to_doubles(), b = expected.to_doubles();
  double difference = 0.0, size = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::isfinite(difference) ? std::sqrt(difference / size) : HUGE_VAL;
}

/// The lowest cosine between a row of what was found and that of what was expected.
inline double lowest_cosine(const Tensor& found, const Tensor& expected) {
  if (found.shape() != expected.shape()) return -HUGE_VAL;
  const std::vector<double> a = found.to_doubles(), b = expected.to_doubles();
  const auto width = static_cast<size_t>(found.shape().extents().back());
  double lowest = 1.0;
  for (size_t row = 0; row < a.size(); row += width) {
    double dot = 0.0, of_a = 0.0, of_b = 0.0;
    for (size_t i = row; i < row + width; ++i) {
      dot += a[i] * b[i];
      of_a += a[i] * a[i];
      of_b += b[i] * b[i];
    }
    const double cosine = dot / std::sqrt(of_a * of_b);
    if (!(cosine >= lowest)) lowest = cosine;  // NaN, too
    if (std::isnan(lowest)) return -HUGE_VAL;
  }
  return lowest;
}

/// Compares a parameter after some AdamW steps with its published end. The bias of attention keys has no gradient in
/// exact arithmetic (softmax does not see a shift of all scores), so what AdamW makes of it is rounding divided by
/// itself: of that third only the bound on AdamW's steps can hold.
inline void expect_trained(const std::string& name, const Tensor& found, const Tensor& expected, double step_bound) {
  const bool attention_bias =
      name.ends_with("in_proj_bias") || name.ends_with("attention.attention.bias") || name.ends_with("attn.qkv.bias");
  if (!attention_bias) {
    EXPECT_LT(relative_error(found, expected), 1e-4) << name;
    return;
  }
  const int64_t third = found.numel() / 3;
  for (const int64_t part : {int64_t{0}, int64_t{2}}) {
    EXPECT_LT(relative_error(found.view_rows(part * third, (part + 1) * third),
                             expected.view_rows(part * third, (part + 1) * third)),
              1e-4)
        << name << ", part " << part;
  }
  const std::vector<double> keys = found.view_rows(third, 2 * third).to_doubles();
  const std::vector<double> published = expected.view_rows(third, 2 * third).to_doubles();
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_NEAR(keys[i], published[i], step_bound) << name;
}

}  // namespace astroclip::testing_support
