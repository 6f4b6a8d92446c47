#include "pixels/blur.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "pixels/geometry.h"

namespace astroclip::pixels {

namespace {

/// Weights of pixels at distances 0 to the kernel's radius.
std::vector<double> gaussian_weights(double sigma) {
  const auto radius = static_cast<int64_t>(4.0 * sigma + 0.5);
  std::vector<double> weights;
  double sum = 0.0;
  for (int64_t i = 0; i <= radius; ++i) {
    weights.push_back(std::exp(-0.5 / (sigma * sigma) * static_cast<double>(i * i)));
    sum += i == 0 ? weights.back() : 2.0 * weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

/// sums[i] = Σ of weighted pairs, from the farthest to the nearest, after the middle.
void weigh(const std::vector<double>& weights, int64_t count, const auto& pixels_at, std::span<double> sums) {
  const float* middle = pixels_at(0);
  for (int64_t i = 0; i < count; ++i) sums[static_cast<size_t>(i)] = static_cast<double>(middle[i]) * weights[0];
  for (auto distance = std::ssize(weights) - 1; distance > 0; --distance) {
    const float *before = pixels_at(-distance), *after = pixels_at(distance);
    const double weight = weights[static_cast<size_t>(distance)];
    for (int64_t i = 0; i < count; ++i)
      sums[static_cast<size_t>(i)] += (static_cast<double>(before[i]) + static_cast<double>(after[i])) * weight;
  }
}

void round_into(std::span<const double> sums, float* out) {
  for (size_t i = 0; i < sums.size(); ++i) out[i] = static_cast<float>(sums[i]);
}

}  // namespace

void blur(std::span<float> plane, int64_t height, int64_t width, double sigma) {
  if (!(sigma > 0.0)) return;
  const std::vector<double> weights = gaussian_weights(sigma);
  const auto radius = std::ssize(weights) - 1;
  if (radius == 0) return;
  std::vector<double> sums(static_cast<size_t>(width));
  const std::vector<float> copy(plane.begin(), plane.end());
  for (int64_t y = 0; y < height; ++y) {
    weigh(
        weights, width, [&](int64_t distance) { return copy.data() + mirrored(y + distance, height) * width; }, sums);
    round_into(sums, plane.data() + y * width);
  }
  std::vector<float> padded(static_cast<size_t>(width + 2 * radius));
  for (int64_t y = 0; y < height; ++y) {
    float* row = plane.data() + y * width;
    for (int64_t x = -radius; x < width + radius; ++x)
      padded[static_cast<size_t>(x + radius)] = row[mirrored(x, width)];
    weigh(
        weights, width, [&](int64_t distance) { return padded.data() + radius + distance; }, sums);
    round_into(sums, row);
  }
}

}  // namespace astroclip::pixels
