#include "probe/densities.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/threads.h"
#include "probe/metrics.h"

namespace astroclip::probe {

Densities::Densities(std::vector<double> grid, std::vector<double> values)
    : grid_(std::move(grid)), values_(std::move(values)), cumulative_(values_.size(), 0.0) {
  if (grid_.size() < 2 || std::ranges::adjacent_find(grid_, std::greater_equal()) != grid_.end()) {
    throw Error(fmt::format("[densities] the grid must rise and have two points or more, it has {}", grid_.size()));
  }
  if (values_.size() % grid_.size() != 0) {
    throw Error(
        fmt::format("[densities] {} values are not of objects with {} grid points each", values_.size(), grid_.size()));
  }
  for (size_t begin = 0; begin < values_.size(); begin += grid_.size()) {
    double integral = 0.0;
    for (size_t i = 1; i < grid_.size(); ++i) {
      integral += 0.5 * (values_[begin + i - 1] + values_[begin + i]) * (grid_[i] - grid_[i - 1]);
      cumulative_[begin + i] = integral;
    }
    const auto own = std::span(values_).subspan(begin, grid_.size());
    if (!(integral > 0.0) || !std::isfinite(integral) || std::ranges::min(own) < 0.0) {
      throw Error(
          fmt::format("[densities] the density of object {} of {} has the integral {}; it must be positive, and "
                      "no value negative",
                      begin / grid_.size(), count(), integral));
    }
    for (size_t i = begin; i < begin + grid_.size(); ++i) {
      values_[i] /= integral;
      cumulative_[i] /= integral;
    }
  }
}

std::span<const double> Densities::of(const std::vector<double>& all, int64_t object) const {
  return std::span(all).subspan(static_cast<size_t>(object) * grid_.size(), grid_.size());
}

size_t Densities::interval(double at) const {
  const auto above = std::ranges::upper_bound(grid_, at);
  return std::clamp<size_t>(static_cast<size_t>(above - grid_.begin()), 1, grid_.size() - 1) - 1;
}

double Densities::density(int64_t object, double at) const {
  if (!(at >= grid_.front() && at <= grid_.back())) return 0.0;
  const size_t i = interval(at);
  const auto own = of(values_, object);
  return std::lerp(own[i], own[i + 1], (at - grid_[i]) / (grid_[i + 1] - grid_[i]));
}

double Densities::cumulative(int64_t object, double at) const {
  if (at <= grid_.front()) return 0.0;
  if (at >= grid_.back()) return 1.0;
  const size_t i = interval(at);
  const auto own = of(cumulative_, object);
  return std::lerp(own[i], own[i + 1], (at - grid_[i]) / (grid_[i + 1] - grid_[i]));
}

double Densities::quantile(int64_t object, double share) const {
  const auto own = of(cumulative_, object);
  const auto above = std::ranges::upper_bound(own, share);
  const size_t i = std::clamp<size_t>(static_cast<size_t>(above - own.begin()), 1, grid_.size() - 1) - 1;
  if (own[i + 1] == own[i]) return grid_[i];
  return std::lerp(grid_[i], grid_[i + 1], (share - own[i]) / (own[i + 1] - own[i]));
}

double Densities::crps(int64_t object, double truth) const {
  const auto own = of(cumulative_, object);
  // ∫ of the square of what is linear between a and b.
  const auto square = [](double a, double b, double length) { return (a * a + a * b + b * b) * length / 3.0; };
  const double inside = std::clamp(truth, grid_.front(), grid_.back());
  const double at_truth = cumulative(object, inside);
  double sum = std::abs(truth - inside);
  for (size_t i = 0; i + 1 < grid_.size(); ++i) {
    const double low = grid_[i], high = grid_[i + 1];
    if (high <= inside) {
      sum += square(own[i], own[i + 1], high - low);
    } else if (low >= inside) {
      sum += square(1.0 - own[i], 1.0 - own[i + 1], high - low);
    } else {
      sum += square(own[i], at_truth, inside - low) + square(1.0 - at_truth, 1.0 - own[i + 1], high - inside);
    }
  }
  return sum;
}

double Densities::cde_loss(int64_t object, double truth) const {
  const auto own = of(values_, object);
  double squares = 0.0;
  for (size_t i = 1; i < grid_.size(); ++i) {
    squares += 0.5 * (own[i - 1] * own[i - 1] + own[i] * own[i]) * (grid_[i] - grid_[i - 1]);
  }
  return squares - 2.0 * density(object, truth);
}

double distance_from_uniform(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::ranges::sort(values);
  const auto count = static_cast<double>(values.size());
  double largest = 0.0;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto below = static_cast<double>(i);
    largest = std::max({largest, (below + 1.0) / count - values[i], values[i] - below / count});
  }
  return largest;
}

double coverage(std::span<const double> transforms, double probability) {
  const auto inside =
      std::ranges::count_if(transforms, [&](double value) { return std::abs(value - 0.5) <= 0.5 * probability; });
  return static_cast<double>(inside) / static_cast<double>(transforms.size());
}

std::vector<double> kernel_densities(const std::vector<double>& samples, int64_t samples_of_each,
                                     const std::vector<double>& grid) {
  const auto each = static_cast<size_t>(samples_of_each), points = grid.size();
  const size_t objects = samples.size() / each;
  const double step = (grid.back() - grid.front()) / static_cast<double>(points - 1);
  std::vector<double> densities(objects * points, 0.0);
  parallel_for(static_cast<int64_t>(objects), 16, [&](int64_t begin, int64_t end) {
    std::vector<double> counts(points);
    for (auto object = static_cast<size_t>(begin); object < static_cast<size_t>(end); ++object) {
      const auto own = std::span(samples).subspan(object * each, each);
      const double mean = std::accumulate(own.begin(), own.end(), 0.0) / static_cast<double>(each);
      double squares = 0.0;
      for (const double sample : own) squares += (sample - mean) * (sample - mean);
      const double deviation = std::sqrt(squares / static_cast<double>(each));
      const double spread = std::min(deviation, iqr_deviation({own.begin(), own.end()}));
      const double width = std::max(step, 0.9 * spread * std::pow(static_cast<double>(each), -0.2)) / step;
      const double shrinkage = std::sqrt(std::max(0.0, 1.0 - std::pow(width * step / deviation, 2)));
      std::ranges::fill(counts, 0.0);
      for (const double sample : own) {
        const double drawn = mean + shrinkage * (sample - mean);
        // Shared by the two nearest grid points.
        const double place = std::clamp((drawn - grid.front()) / step, 0.0, static_cast<double>(points - 1));
        const auto low = std::min(static_cast<size_t>(place), points - 2);
        counts[low] += static_cast<double>(low + 1) - place;
        counts[low + 1] += place - static_cast<double>(low);
      }
      const auto reach = static_cast<int64_t>(std::ceil(5.0 * width));
      double* density = densities.data() + object * points;
      for (size_t point = 0; point < points; ++point) {
        if (counts[point] == 0.0) continue;
        const auto centre = static_cast<int64_t>(point), last = static_cast<int64_t>(points) - 1;
        for (int64_t i = std::max<int64_t>(0, centre - reach); i <= std::min(last, centre + reach); ++i) {
          density[i] += counts[point] * std::exp(-0.5 * std::pow(static_cast<double>(i - centre) / width, 2));
        }
      }
    }
  });
  return densities;
}

}  // namespace astroclip::probe
