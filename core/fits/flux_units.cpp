#include "fits/flux_units.h"

#include <fmt/format.h>
#include <wcsunits.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace astroclip::fits {

namespace {

constexpr double maggy_jansky = 3631.0, nanomaggy_jansky = 1e-9 * maggy_jansky;
constexpr double jansky = 1e-26;               // W/m²/Hz
constexpr double light_speed = 2.99792458e18;  // Å/s
constexpr double spectral_unit = 1e-17 * 1e7;  // 1e-17 erg/s/cm²/Å in W/m³
constexpr double arcsec2_per_degree2 = 1.296e7;

/// A unit by its powers of SI units (angles in degrees and steradians), as wcslib numbers them.
struct Dimensions {
  std::array<double, WCSUNITS_NTYPE> powers = {};
  double scale = 1.0;
  double logarithm = 0.0;  ///< base

  double operator[](int type) const { return powers[static_cast<size_t>(type)]; }
  /// Whether it is the product of these powers and of no others.
  bool is(std::initializer_list<std::pair<int, double>> wanted) const {
    std::array<double, WCSUNITS_NTYPE> expected = {};
    for (const auto& [type, power] : wanted) expected[static_cast<size_t>(type)] = power;
    return powers == expected;
  }
};

/// The standard's spelling of words of units; words of two letters or fewer are taken in this case only.
std::string standard_word(const std::string& word) {
  static const std::map<std::string, std::string> short_words = {{"A", "Angstrom"}, {"AA", "Angstrom"}, {"DN", "count"},
                                                                 {"e", "count"},    {"S", "s"},         {"CM", "cm"},
                                                                 {"HZ", "Hz"},      {"JY", "Jy"}};
  static const std::map<std::string, std::string> long_words = {{"ang", "Angstrom"},
                                                                {"angs", "Angstrom"},
                                                                {"angstrom", "Angstrom"},
                                                                {"angstroms", "Angstrom"},
                                                                {"micron", "um"},
                                                                {"microns", "um"},
                                                                {"micrometer", "um"},
                                                                {"nanometer", "nm"},
                                                                {"nanometers", "nm"},
                                                                {"ergs", "erg"},
                                                                {"erg", "erg"},
                                                                {"sec", "s"},
                                                                {"second", "s"},
                                                                {"seconds", "s"},
                                                                {"count", "count"},
                                                                {"counts", "count"},
                                                                {"cts", "count"},
                                                                {"adu", "count"},
                                                                {"dn", "count"},
                                                                {"electron", "count"},
                                                                {"electrons", "count"},
                                                                {"photons", "count"},
                                                                {"pix", "pixel"},
                                                                {"pixel", "pixel"},
                                                                {"pixels", "pixel"},
                                                                {"spaxel", "pixel"},
                                                                {"fiber", "pixel"},
                                                                {"fibre", "pixel"},
                                                                {"jansky", "Jy"},
                                                                {"janskys", "Jy"},
                                                                {"microjansky", "uJy"},
                                                                {"ujy", "uJy"},
                                                                {"njy", "nJy"},
                                                                {"nanojansky", "nJy"},
                                                                {"maggy", "maggy"},
                                                                {"maggies", "maggy"},
                                                                {"mgy", "maggy"},
                                                                {"nanomaggy", "nanomaggy"},
                                                                {"nanomaggie", "nanomaggy"},
                                                                {"nanomaggies", "nanomaggy"},
                                                                {"nmgy", "nanomaggy"},
                                                                {"nmaggy", "nanomaggy"},
                                                                {"nmaggies", "nanomaggy"}};
  const auto& words = word.size() < 3 ? short_words : long_words;
  const auto found = words.find(word.size() < 3 ? word : lower(word));
  return found == words.end() ? word : found->second;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// Takes a number off the front, unless it is a power of ten, which wcslib reads, or a numerator.
double take_factor(std::string& text) {
  if (text.starts_with("10*") || text.starts_with("10^") || text.starts_with("10+") || text.starts_with("10-")) {
    return 1.0;
  }
  char* end = nullptr;
  const double factor = std::strtod(text.c_str(), &end);
  const size_t used = static_cast<size_t>(end - text.c_str());
  const size_t next = text.find_first_not_of(" *x", used);
  if (used == 0 || next == std::string::npos || text[next] == '/' || !(factor > 0.0) || !std::isfinite(factor)) {
    return 1.0;
  }
  text = text.substr(next);
  return factor;
}

/// None where the text is no unit that is known.
std::optional<Dimensions> dimensions_of(const std::string& unit) {
  std::string text = unit;
  replace_all(text, "\xC3\x85", "Angstrom");      // Å
  replace_all(text, "\xE2\x84\xAB", "Angstrom");  // the sign of the unit
  replace_all(text, "\xC2\xB5", "u");             // µ
  replace_all(text, "\xCE\xBC", "u");             // the letter
  replace_all(text, "e-/", "electron/");
  if (text == "e-") text = "electron";
  if (lower(text).starts_with("log10")) text = "log" + text.substr(5);
  text = text.substr(std::min(text.find_first_not_of(' '), text.size()));
  Dimensions found;
  found.scale = take_factor(text);
  std::string standard;
  for (size_t at = 0; at < text.size();) {
    if (!std::isalpha(static_cast<unsigned char>(text[at]))) {
      standard += text[at++];
      continue;
    }
    const size_t begin = at;
    while (at < text.size() && std::isalpha(static_cast<unsigned char>(text[at]))) ++at;
    const std::string word = standard_word(text.substr(begin, at - begin));
    standard += word == "nanomaggy" ? "voxel" : word == "maggy" ? "bin" : word;
  }
  int function = 0;
  double scale = 0.0;
  std::vector<char> buffer(standard.begin(), standard.end());
  buffer.push_back('\0');
  if (wcsulex(buffer.data(), &function, &scale, found.powers.data()) != 0 || function > 2) return std::nullopt;
  found.scale *= scale;
  // wcslib knows no maggies: two of its units that no flux has stand for them.
  for (const auto& [type, janskys] : {std::pair(WCSUNITS_VOXEL, nanomaggy_jansky), {WCSUNITS_BIN, maggy_jansky}}) {
    const double power = std::exchange(found.powers[static_cast<size_t>(type)], 0.0);
    found.scale *= std::pow(janskys * jansky, power);
    found.powers[WCSUNITS_MASS] += power;
    found.powers[WCSUNITS_TIME] -= 2.0 * power;
  }
  if (function != 0) found.logarithm = function == 1 ? 10.0 : std::numbers::e;
  return found;
}

bool is_blank(const std::string& text) { return text.find_first_not_of(' ') == std::string::npos; }

/// Whether it is the product of these, per pixel or not.
bool is_flux(const Dimensions& unit, double power, std::initializer_list<std::pair<int, double>> wanted) {
  Dimensions rest = unit;
  const double per_pixel = std::exchange(rest.powers[WCSUNITS_PIXEL], 0.0);
  return rest.is(wanted) && (per_pixel == 0.0 || per_pixel == -power);
}

bool is_per_frequency(const Dimensions& unit, double power) {
  return is_flux(unit, power, {{WCSUNITS_MASS, power}, {WCSUNITS_TIME, -2.0 * power}});
}

bool is_per_wavelength(const Dimensions& unit, double power) {
  return is_flux(unit, power, {{WCSUNITS_MASS, power}, {WCSUNITS_LENGTH, -power}, {WCSUNITS_TIME, -3.0 * power}});
}

constexpr const char* magnitude_keys[] = {"MAGZERO", "MAGZPT", "MAGZP", "PHOTZP", "ZPAB"};

struct ZeroPoint {
  double nanomaggies = 0.0;
  std::string words;
};

/// What a header's words make of one count.
std::vector<ZeroPoint> zero_points(const Header& header) {
  std::vector<ZeroPoint> found;
  for (const char* key : magnitude_keys) {
    if (const auto magnitude = header.number(key)) {
      found.push_back({std::pow(10.0, 0.4 * (22.5 - *magnitude)), fmt::format("{} = {}", key, *magnitude)});
    }
  }
  if (const auto counts = header.number("FLUXMAG0"); counts && *counts > 0.0) {
    found.push_back({1e9 / *counts, fmt::format("FLUXMAG0 = {}", *counts)});
  }
  const auto density = header.number("PHOTFLAM"), pivot = header.number("PHOTPLAM");
  if (density && pivot && *density > 0.0) {
    const double janskys = *density * *pivot * *pivot / light_speed * 1e23;
    found.push_back({janskys / nanomaggy_jansky, fmt::format("PHOTFLAM = {}, PHOTPLAM = {}", *density, *pivot)});
  }
  return found;
}

void check_linear_and_ab(const Header& header, bool by_zero_point) {
  if (header.number("BSOFTEN")) throw Error("its values are on an asinh scale (BSOFTEN); linear ones are read");
  for (const char* key : {"MAGSYS", "PHOTSYS", "ZPSYS", "MAGSYSTM"}) {
    const auto system = header.text(key);
    if (by_zero_point && system && lower(*system).find("vega") != std::string::npos) {
      throw Error(fmt::format("{} = '{}': zero points in AB magnitudes are read", key, *system));
    }
  }
  for (const char* key : magnitude_keys) {
    const std::string comment = header.comment(key);
    if (by_zero_point && lower(comment).find("vega") != std::string::npos) {
      throw Error(fmt::format("{} is '{}': zero points in AB magnitudes are read", key, comment));
    }
  }
}

void expect_agreement(const ZeroPoint& one, const ZeroPoint& other) {
  if (std::abs(one.nanomaggies / other.nanomaggies - 1.0) < 0.01) return;
  throw Error(fmt::format("{} and {} contradict each other: {:.4g} and {:.4g} nanomaggies", one.words, other.words,
                          one.nanomaggies, other.nanomaggies));
}

ImageUnit by_zero_point(const Header& header, const std::string& words, bool per_second) {
  const auto zeros = zero_points(header);
  check_linear_and_ab(header, true);
  if (zeros.empty()) {
    throw Error(
        fmt::format("{} needs a zero point (MAGZERO, MAGZPT, MAGZP, PHOTZP, ZPAB, FLUXMAG0, or PHOTFLAM and "
                    "PHOTPLAM)",
                    words));
  }
  if (zeros.back().words.starts_with("PHOTFLAM") && !words.empty() && !per_second) {
    throw Error(fmt::format("{} are counts, PHOTFLAM is of counts a second", words));
  }
  for (const ZeroPoint& other : zeros) expect_agreement(zeros[0], other);
  return {ImageUnit::Of::pixel, zeros[0].nanomaggies, words.empty() ? zeros[0].words : words + ", " + zeros[0].words};
}

}  // namespace

double WavelengthUnit::to_angstrom(double value) const {
  return angstrom * (logarithm == 0.0 ? value : std::pow(logarithm, value));
}

WavelengthUnit wavelength_unit(const std::string& unit) {
  if (is_blank(unit)) return {};
  const auto found = dimensions_of(unit);
  if (!found || !found->is({{WCSUNITS_LENGTH, 1.0}})) {
    throw Error(fmt::format("'{}' is no unit of wavelength: Å, nm, µm, m and logarithms of them are read", unit));
  }
  return {found->scale / 1e-10, found->logarithm};
}

double SpectralFluxUnit::at(double wavelength) const {
  return per_frequency ? factor * std::pow(light_speed / (wavelength * wavelength), power) : factor;
}

SpectralFluxUnit spectral_flux_unit(const std::string& unit, int power) {
  if (is_blank(unit)) return {1.0, power, false};
  const auto found = dimensions_of(unit);
  const bool is_linear = found && found->logarithm == 0.0;
  if (is_linear && is_per_wavelength(*found, power)) {
    return {found->scale / std::pow(spectral_unit, power), power, false};
  }
  // A flux density of 1 W/m²/Hz is light_speed/λ² W/m²/Å, with λ in Å.
  if (is_linear && is_per_frequency(*found, power)) {
    return {found->scale * std::pow(1e10 / spectral_unit, power), power, true};
  }
  throw Error(fmt::format("'{}' is no unit of {}flux density: erg/s/cm2/Angstrom, W/m2/um, Jy and their like are read",
                          unit, power == 1 ? "" : fmt::format("a power of {} of ", power)));
}

ImageUnit image_unit(const Header& header) {
  const std::string unit = header.text("BUNIT").value_or("");
  const auto zeros = zero_points(header);
  if (is_blank(unit)) {
    check_linear_and_ab(header, !zeros.empty());
    return zeros.empty() ? ImageUnit{} : by_zero_point(header, "", false);
  }
  const std::string words = fmt::format("BUNIT = '{}'", unit);
  const auto found = dimensions_of(unit);
  if (!found || found->logarithm != 0.0) throw Error(fmt::format("{} is no unit of flux that is known", words));
  for (const double per_second : {0.0, -1.0}) {
    if (found->scale == 1.0 && is_flux(*found, 1.0, {{WCSUNITS_COUNT, 1.0}, {WCSUNITS_TIME, per_second}})) {
      return by_zero_point(header, words, per_second != 0.0);
    }
  }
  Dimensions flux = *found;
  ImageUnit result{ImageUnit::Of::pixel, 1.0, words};
  if (flux[WCSUNITS_SOLID_ANGLE] == -1.0) {
    constexpr double steradians = std::numbers::pi / 180.0 / 3600.0 * std::numbers::pi / 180.0 / 3600.0;
    result.of = ImageUnit::Of::square_arcsec;
    flux.scale *= steradians;
    flux.powers[WCSUNITS_SOLID_ANGLE] = 0.0;
  } else if (flux[WCSUNITS_PLANE_ANGLE] == -2.0) {
    result.of = ImageUnit::Of::square_arcsec;
    flux.scale /= arcsec2_per_degree2;
    flux.powers[WCSUNITS_PLANE_ANGLE] = 0.0;
  }
  const auto pivot = header.number("PHOTPLAM");
  if (is_per_wavelength(flux, 1.0) && pivot) {
    flux.scale *= *pivot * *pivot / light_speed * 1e-10;
  } else if (is_per_wavelength(flux, 1.0)) {
    throw Error(fmt::format("{} is per wavelength, and PHOTPLAM, the wavelength of the band, is missing", words));
  } else if (!is_per_frequency(flux, 1.0)) {
    throw Error(fmt::format("{} is no unit of flux that is known", words));
  }
  result.nanomaggies = flux.scale / jansky / nanomaggy_jansky;
  check_linear_and_ab(header, false);
  if (result.of == ImageUnit::Of::pixel) {
    for (const ZeroPoint& zero : zeros) {
      if (!zero.words.starts_with("PHOTFLAM")) expect_agreement({result.nanomaggies, words}, zero);
    }
  }
  return result;
}

}  // namespace astroclip::fits
