#include "report/binned.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "probe/metrics.h"

namespace astroclip::report {

namespace {

constexpr int64_t least_in_bin = 20;

}  // namespace

std::vector<Bin> binned(std::span<const double> by, std::span<const double> values, int64_t bins) {
  std::vector<std::pair<double, double>> known;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(by[i]) && std::isfinite(values[i])) known.emplace_back(by[i], values[i]);
  }
  std::ranges::sort(known);
  const auto count = std::ssize(known);
  bins = std::min(bins, std::max<int64_t>(count > 0 ? 1 : 0, count / least_in_bin));
  std::vector<Bin> all;
  for (int64_t bin = 0; bin < bins; ++bin) {
    std::vector<double> x, y;
    for (int64_t i = bin * count / bins; i < (bin + 1) * count / bins; ++i) {
      x.push_back(known[static_cast<size_t>(i)].first);
      y.push_back(known[static_cast<size_t>(i)].second);
    }
    std::ranges::sort(y);
    Bin& one = all.emplace_back();
    one.from = x.front(), one.to = x.back(), one.middle = probe::quantile(x, 0.5);
    one.count = std::ssize(x);
    one.median = probe::quantile(y, 0.5);
    one.low = probe::quantile(y, 0.16), one.high = probe::quantile(y, 0.84);
    one.error =
        std::sqrt(std::numbers::pi / 2.0) * 0.5 * (one.high - one.low) / std::sqrt(static_cast<double>(one.count));
  }
  return all;
}

}  // namespace astroclip::report
