// Colours of figures: told from the page, and from each other by everyone.
#include "record/line_colours.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace astroclip::record {
namespace {

using Rgb = std::array<double, 3>;

/// Linear red, green and blue of "#rrggbb" (IEC 61966-2-1).
Rgb linear(const std::string& colour) {
  Rgb rgb;
  for (size_t part = 0; part < 3; ++part) {
    const double value = std::stoi(colour.substr(1 + 2 * part, 2), nullptr, 16) / 255.0;
    rgb[part] = value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  }
  return rgb;
}

Rgb product(const std::array<Rgb, 3>& matrix, const Rgb& of) {
  Rgb result;
  for (size_t row = 0; row < 3; ++row)
    result[row] = matrix[row][0] * of[0] + matrix[row][1] * of[1] + matrix[row][2] * of[2];
  return result;
}

/// WCAG 2.2: the lighter relative luminance plus 0.05 over the darker one plus 0.05.
double contrast(const std::string& one, const std::string& other) {
  const auto luminance = [](const std::string& colour) {
    const Rgb rgb = linear(colour);
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2] + 0.05;
  };
  const double a = luminance(one), b = luminance(other);
  return std::max(a, b) / std::min(a, b);
}

/// CIE 1976 L*a*b* of linear sRGB with white D65.
Rgb lab(const Rgb& rgb) {
  const Rgb xyz = product({{{0.4124, 0.3576, 0.1805}, {0.2126, 0.7152, 0.0722}, {0.0193, 0.1192, 0.9505}}}, rgb);
  const auto f = [](double share) {
    return share > 216.0 / 24389.0 ? std::cbrt(share) : (24389.0 / 27.0 * share + 16.0) / 116.0;
  };
  const double x = f(xyz[0] / 0.9505), y = f(xyz[1]), z = f(xyz[2] / 1.089);
  return {116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)};
}

/// How those see who lack a kind of cones: Machado, Oliveira & Fernandes 2009, table 1, severity 1.
const std::vector<std::array<Rgb, 3>> eyes = {
    {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
    {{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}},
    {{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}},
    {{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}}};

/// The least difference of two colours (CIE 1976) for those eyes.
double least_difference(const std::vector<std::string>& colours, const std::array<Rgb, 3>& seen) {
  double least = HUGE_VAL;
  for (size_t i = 0; i < colours.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const auto clipped = [&](const std::string& colour) {
        Rgb rgb = product(seen, linear(colour));
        for (double& part : rgb) part = std::clamp(part, 0.0, 1.0);
        return lab(rgb);
      };
      const Rgb a = clipped(colours[i]), b = clipped(colours[j]);
      least = std::min(least, std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
    }
  }
  return least;
}

TEST(LineColours, AreToldFromThePage) {
  for (const LineColour& one : line_colours) {
    EXPECT_GE(contrast(one.light, white_page), 3.0) << one.light;
    EXPECT_GE(contrast(one.dark, dark_page), 3.0) << one.dark;
  }
  EXPECT_NEAR(contrast("#767676", white_page), 4.54, 0.01);  // as WCAG's own examples have it
}

TEST(LineColours, AreToldFromEachOther) {
  std::vector<std::string> light = {"#000000"}, dark = {"#ffffff"};
  for (const LineColour& one : line_colours) {
    light.emplace_back(one.light);
    dark.emplace_back(one.dark);
  }
  for (size_t kind = 0; kind < eyes.size(); ++kind) {
    EXPECT_GE(least_difference(light, eyes[kind]), 20.0) << kind;
    EXPECT_GE(least_difference(dark, eyes[kind]), 16.0) << kind;
  }
}

}  // namespace
}  // namespace astroclip::record
