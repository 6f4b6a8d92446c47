#include "probe/metrics.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>

namespace astroclip::probe {

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

double quantile(std::span<const double> rising, double share) {
  if (rising.empty()) return std::nan("");
  const double place = share * static_cast<double>(rising.size() - 1);
  const auto low = static_cast<size_t>(place), high = std::min(low + 1, rising.size() - 1);
  return std::lerp(rising[low], rising[high], place - std::floor(place));
}

double r_squared(std::span<const double> predicted, std::span<const double> truth) {
  const double mean = std::accumulate(truth.begin(), truth.end(), 0.0) / static_cast<double>(truth.size());
  double residual = 0.0, total = 0.0;
  for (size_t i = 0; i < truth.size(); ++i) {
    residual += (predicted[i] - truth[i]) * (predicted[i] - truth[i]);
    total += (truth[i] - mean) * (truth[i] - mean);
  }
  return total > 0.0 ? 1.0 - residual / total : std::nan("");
}

std::vector<double> errors(std::span<const double> predicted, std::span<const double> truth) {
  std::vector<double> all;
  for (size_t i = 0; i < truth.size(); ++i) all.push_back(predicted[i] - truth[i]);
  return all;
}

bool is_redshift(const std::string& label) {
  std::string name;
  for (const char letter : label) name += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  static constexpr const char* names[] = {"z",      "z_hp",   "z_spec",  "zspec",  "z_phot", "zphot",
                                          "z_best", "z_true", "photo_z", "photoz", "spec_z", "specz"};
  return name.find("redshift") != std::string::npos || std::ranges::find(names, name) != std::end(names);
}

std::vector<double> redshift_errors(std::span<const double> predicted, std::span<const double> truth) {
  std::vector<double> all = errors(predicted, truth);
  for (size_t i = 0; i < truth.size(); ++i) all[i] /= 1.0 + truth[i];
  return all;
}

namespace {

template <class Function>
double mean_of(std::span<const double> errors, Function function) {
  if (errors.empty()) return std::nan("");
  double mean = 0.0;
  for (const double error : errors) mean += function(error) / static_cast<double>(errors.size());
  return mean;
}

}  // namespace

double mean_error(std::span<const double> errors) {
  return mean_of(errors, [](double error) { return error; });
}

double mean_absolute_error(std::span<const double> errors) {
  return mean_of(errors, [](double error) { return std::abs(error); });
}

double nmad(std::vector<double> errors) {
  const double centre = median(errors);
  for (double& error : errors) error = std::abs(error - centre);
  return 1.4826 * median(errors);
}

double iqr_deviation(std::vector<double> errors) {
  if (errors.empty()) return std::nan("");
  std::ranges::sort(errors);
  return (quantile(errors, 0.75) - quantile(errors, 0.25)) / 1.349;
}

double outlier_fraction(std::span<const double> errors, double limit) {
  return mean_of(errors, [limit](double error) { return std::abs(error) > limit ? 1.0 : 0.0; });
}

}  // namespace astroclip::probe
