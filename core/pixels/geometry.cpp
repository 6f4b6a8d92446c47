#include "pixels/geometry.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace astroclip::pixels {

void crop(std::span<const float> planes, int64_t height, int64_t width, const Window& window, std::span<float> out) {
  const int64_t count = static_cast<int64_t>(planes.size()) / (height * width);
  for (int64_t plane = 0; plane < count; ++plane)
    for (int64_t y = 0; y < window.height; ++y) {
      const float* row = planes.data() + (plane * height + window.y0 + y) * width + window.x0;
      std::copy(row, row + window.width, out.data() + (plane * window.height + y) * window.width);
    }
}

void turn(std::span<float> planes, int64_t side, int64_t element) {
  if (element == 0) return;
  const int64_t area = side * side;
  std::vector<float> copy(static_cast<size_t>(area));
  for (size_t at = 0; at < planes.size(); at += static_cast<size_t>(area)) {
    std::copy_n(planes.data() + at, area, copy.data());
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x) {
        int64_t u = x;
        int64_t v = y;
        for (int64_t quarter = 0; quarter < element % 4; ++quarter) {
          const int64_t turned = side - 1 - v;
          v = u;
          u = turned;
        }
        if (element >= 4) u = side - 1 - u;
        planes[at + static_cast<size_t>(v * side + u)] = copy[static_cast<size_t>(y * side + x)];
      }
  }
}

void flip_columns(std::span<float> planes, int64_t width) {
  for (auto row = planes.begin(); row != planes.end(); row += width) std::reverse(row, row + width);
}

void flip_rows(std::span<float> planes, int64_t height, int64_t width) {
  for (auto plane = planes.begin(); plane != planes.end(); plane += height * width) {
    for (int64_t y = 0; y < height / 2; ++y)
      std::swap_ranges(plane + y * width, plane + (y + 1) * width, plane + (height - 1 - y) * width);
  }
}

int64_t mirrored(int64_t index, int64_t size) {
  const int64_t period = 2 * size, place = (index % period + period) % period;
  return std::min(place, period - 1 - place);
}

void rotate_and_zoom(std::span<const float> planes, int64_t height, int64_t width, const Motion& motion,
                     const Window& window, std::span<float> out) {
  const int64_t area = height * width, count = static_cast<int64_t>(planes.size()) / area;
  const double cosine = std::cos(motion.angle) / motion.magnification,
               sine = std::sin(motion.angle) / motion.magnification;
  const double middle_x = 0.5 * static_cast<double>(width - 1), middle_y = 0.5 * static_cast<double>(height - 1);
  for (int64_t row = 0; row < window.height; ++row) {
    for (int64_t column = 0; column < window.width; ++column) {
      const double u = static_cast<double>(window.x0 + column) - middle_x,
                   v = static_cast<double>(window.y0 + row) - middle_y;
      double x = middle_x + cosine * u + sine * v, y = middle_y - sine * u + cosine * v;
      if (motion.interpolation == Interpolation::nearest) x = std::round(x), y = std::round(y);
      const double left = std::floor(x), top = std::floor(y);
      const auto right_share = static_cast<float>(x - left), lower_share = static_cast<float>(y - top);
      const int64_t x0 = mirrored(static_cast<int64_t>(left), width),
                    x1 = mirrored(static_cast<int64_t>(left) + 1, width),
                    y0 = mirrored(static_cast<int64_t>(top), height) * width,
                    y1 = mirrored(static_cast<int64_t>(top) + 1, height) * width;
      for (int64_t plane = 0; plane < count; ++plane) {
        const float* from = planes.data() + plane * area;
        float value = from[y0 + x0];
        if (right_share != 0.0F || lower_share != 0.0F) {
          const float upper = from[y0 + x0] + right_share * (from[y0 + x1] - from[y0 + x0]);
          const float lower = from[y1 + x0] + right_share * (from[y1 + x1] - from[y1 + x0]);
          value = upper + lower_share * (lower - upper);
        }
        out[static_cast<size_t>((plane * window.height + row) * window.width + column)] = value;
      }
    }
  }
}

}  // namespace astroclip::pixels
