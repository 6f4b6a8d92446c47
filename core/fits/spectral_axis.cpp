#include "fits/spectral_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/error.h"

namespace astroclip::fits {

namespace {

std::string capitals(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

}  // namespace

double vacuum_wavelength(double air) {
  double vacuum = air;
  for (int i = 0; i < 5; ++i) {
    const double wavenumber2 = 1e8 / (vacuum * vacuum);  // 1/µm²
    vacuum = air * (1.0 + 0.05792105 / (238.0185 - wavenumber2) + 0.00167917 / (57.362 - wavenumber2));
  }
  return vacuum;
}

std::optional<bool> is_in_air(const Header& header) {
  for (const char* key : {"AIRORVAC", "VACUUM", "CTYPE1"}) {
    const std::string value = capitals(header.text(key).value_or(""));
    if (value.empty()) continue;
    if (key == std::string_view("AIRORVAC")) {
      if (value != "AIR" && !value.starts_with("VAC"))
        throw Error(fmt::format("AIRORVAC = '{}' is neither AIR nor VACUUM", value));
      return value == "AIR";
    }
    if (key == std::string_view("VACUUM")) return value == "F" || value == "0" || value == "NO";
    if (value.starts_with("AWAV")) return true;
    if (value.substr(0, value.find('-')) == "WAVE") return false;
  }
  return std::nullopt;
}

bool is_logarithmic(const Header& header) { return header.text("LOGSCALE") == "T"; }

std::optional<SpectralAxis> spectral_axis(const Header& header, int64_t pixels) {
  SpectralAxis axis;
  axis.values.resize(static_cast<size_t>(pixels));
  const auto fill = [&](double first, double step) {
    for (size_t i = 0; i < axis.values.size(); ++i) axis.values[i] = first + step * static_cast<double>(i);
  };
  if (const auto first = header.number("COEFF0"), step = header.number("COEFF1"); first && step) {
    fill(*first, *step);
    axis.unit.logarithm = 10.0;
    return axis;
  }
  const std::string type = capitals(header.text("CTYPE1").value_or(""));
  const auto begins = [&](std::string_view word) { return type.starts_with(word); };
  for (const char* word : {"FREQ", "ENER", "WAVN", "VRAD", "VOPT", "ZOPT", "VELO", "BETA", "MULTISPE"}) {
    if (begins(word)) throw Error(fmt::format("CTYPE1 = '{}': wavelengths are read", type));
  }
  if (!type.empty() && !begins("WAVE") && !begins("AWAV") && !begins("LINEAR") && !begins("LAMBDA")) return {};
  const auto value = header.number("CRVAL1");
  auto step = header.number("CDELT1");
  if (!step) step = header.number("CD1_1");
  if (!value || !step) return {};
  const double from = (1.0 - header.number("CRPIX1").value_or(1.0)) * *step;
  axis.unit = wavelength_unit(header.text("CUNIT1").value_or(""));
  fill(*value + from, *step);
  if (header.number("DC-FLAG") == 1.0 || is_logarithmic(header)) axis.unit.logarithm = 10.0;
  if (type.ends_with("-LOG")) {
    for (double& one : axis.values) one = *value * std::exp((one - *value) / *value);
  }
  return axis;
}

}  // namespace astroclip::fits
