#include "fits/spectrum_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "data/survey.h"

namespace astroclip::fits {

namespace {

constexpr double tolerance = 0.01;  // Å

bool is_measured(double flux, double ivar) { return std::isfinite(flux) && std::isfinite(ivar) && ivar > 0.0; }

/// None: of no pixel.
std::optional<int64_t> find_pixel(double wavelength) {
  const double position = std::round((wavelength - data::first_wavelength) / data::wavelength_step);
  if (!(position >= 0.0 && position < static_cast<double>(data::spectrum_pixels))) return {};
  const auto pixel = static_cast<int64_t>(position);
  if (std::abs(wavelength - data::wavelength_of(pixel)) > tolerance) return {};
  return pixel;
}

int64_t pixel_of(double wavelength) {
  const auto pixel = find_pixel(wavelength);
  if (!pixel) {
    throw Error(fmt::format("{:.2f} Å is no pixel of the grid from {} to {} Å in steps of {} Å", wavelength,
                            data::first_wavelength, data::wavelength_of(data::spectrum_pixels - 1),
                            data::wavelength_step));
  }
  return *pixel;
}

/// From sums of ivar · flux and of ivar.
GridSpectrum finished(const std::vector<double>& weighted, const std::vector<double>& weight) {
  GridSpectrum spectrum;
  for (size_t i = 0; i < weight.size(); ++i) {
    spectrum.measured += weight[i] > 0.0 ? 1 : 0;
    spectrum.flux.push_back(weight[i] > 0.0 ? static_cast<float>(weighted[i] / weight[i]) : 0.0F);
    spectrum.ivar.push_back(static_cast<float>(weight[i]));
  }
  return spectrum;
}

/// Distance between the middles of the pixels around measurement i.
double pixel_width(std::span<const double> wavelength, size_t i) {
  const size_t before = i == 0 ? 0 : i - 1, after = std::min(i + 1, wavelength.size() - 1);
  return (wavelength[after] - wavelength[before]) / static_cast<double>(after - before);
}

/// A pixel's means of flux and of inverse variance per Å over the lines between the measurements from `first` on;
/// an inverse variance of 0 when a measurement is missing.
std::pair<double, double> mean_over(const SpectrumPiece& piece, double begin, double end, size_t first) {
  double flux = 0.0, density = 0.0, covered = 0.0;
  for (size_t i = first; i + 1 < piece.wavelength.size() && piece.wavelength[i] < end; ++i) {
    const double left = piece.wavelength[i], width = piece.wavelength[i + 1] - left;
    const double from = std::max(begin, left), to = std::min(end, left + width);
    if (to <= from) continue;
    const double share = (0.5 * (from + to) - left) / width;  // of the right measurement in the line's mean
    for (const auto& [at, part] : {std::pair(i, 1.0 - share), std::pair(i + 1, share)}) {
      if (!is_measured(piece.flux[at], piece.ivar[at])) return {0.0, 0.0};
      flux += (to - from) * part * piece.flux[at];
      density += (to - from) * part * piece.ivar[at] / pixel_width(piece.wavelength, at);
    }
    covered += to - from;
  }
  if (covered < (end - begin) * (1.0 - 1e-9)) return {0.0, 0.0};
  return {flux / covered, density / covered};
}

}  // namespace

bool is_on_grid(std::span<const double> wavelength) {
  return std::ranges::all_of(wavelength, [](double one) { return find_pixel(one).has_value(); });
}

GridSpectrum on_grid(std::span<const SpectrumPiece> pieces) {
  std::vector<double> weighted(data::spectrum_pixels, 0.0), weight(data::spectrum_pixels, 0.0);
  for (const SpectrumPiece& piece : pieces) {
    for (size_t i = 0; i < piece.wavelength.size(); ++i) {
      const auto pixel = static_cast<size_t>(pixel_of(piece.wavelength[i]));
      if (!is_measured(piece.flux[i], piece.ivar[i])) continue;
      weighted[pixel] += piece.ivar[i] * piece.flux[i];
      weight[pixel] += piece.ivar[i];
    }
  }
  return finished(weighted, weight);
}

GridSpectrum resampled(const SpectrumPiece& piece) {
  std::vector<double> weighted(data::spectrum_pixels, 0.0), weight(data::spectrum_pixels, 0.0);
  for (size_t i = 1; i < piece.wavelength.size(); ++i) {
    if (!(piece.wavelength[i] > piece.wavelength[i - 1])) {
      throw Error(fmt::format("wavelengths must rise, {:.3f} Å follows {:.3f} Å", piece.wavelength[i],
                              piece.wavelength[i - 1]));
    }
  }
  size_t first = 0;
  for (int64_t pixel = 0; pixel < data::spectrum_pixels; ++pixel) {
    const double begin = data::wavelength_of(pixel) - 0.5 * data::wavelength_step, end = begin + data::wavelength_step;
    while (first + 1 < piece.wavelength.size() && piece.wavelength[first + 1] <= begin) ++first;
    const auto [flux, density] = mean_over(piece, begin, end, first);
    weight[static_cast<size_t>(pixel)] = density * data::wavelength_step;
    weighted[static_cast<size_t>(pixel)] = flux * density * data::wavelength_step;
  }
  return finished(weighted, weight);
}

}  // namespace astroclip::fits
