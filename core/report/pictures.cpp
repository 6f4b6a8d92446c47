#include "report/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/markup.h"
#include "io/output/jpeg.h"
#include "probe/metrics.h"
#include "report/gnuplot.h"
#include "report/stored_values.h"

namespace astroclip::report {

namespace {

/// Vacuum wavelengths in Å.
struct SpectralLine {
  const char* name;
  double wavelength;
};
constexpr SpectralLine spectral_lines[] = {{"Lyα", 1215.67},    {"C IV", 1549.5}, {"Mg II", 2799.1}, {"[O II]", 3728.5},
                                           {"K", 3934.8},       {"H", 3969.6},    {"G", 4305.6},     {"Hβ", 4862.7},
                                           {"[O III]", 5008.2}, {"Mg b", 5176.6}, {"Na D", 5895.6},  {"Hα", 6564.6},
                                           {"[S II]", 6725.5}};
constexpr int jpeg_quality = 90;
constexpr double name_room = 0.09;  // of the range, for the name of a line

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t at) { return at < bytes.size() ? std::to_integer<uint32_t>(bytes[at]) : 0U; };
    const uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (size_t digit = 0; digit < 4; ++digit)
      text += digit <= bytes.size() - i ? digits[bits >> (18 - 6 * digit) & 63] : '=';
  }
  return text;
}

}  // namespace

std::span<const float> Pictures::image(const Images& of, int64_t object) const {
  const auto size = static_cast<size_t>(3 * of.side * of.side);
  return std::span(of.values).subspan(places.at(object) * size, size);
}

std::vector<double> Pictures::over_median(const Spectra& of, int64_t object) const {
  const size_t pixels = of.wavelengths.size();
  const auto flux = std::span(of.values).subspan(places.at(object) * pixels, pixels);
  std::vector<double> measured;
  for (const float value : flux) {
    if (std::isfinite(value)) measured.push_back(double{value});
  }
  const double median = std::abs(probe::median(measured));
  std::vector<double> values;
  if (!(median > 0.0)) return values;
  for (const float value : flux) values.push_back(double{value} / median);
  return values;
}

Pictures read_pictures(const io::Hdf5File& file) {
  Pictures pictures;
  const std::vector<int64_t> objects = integers_in(file, "pictures/object");
  for (size_t i = 0; i < objects.size(); ++i) pictures.places[objects[i]] = i;
  const auto count = std::ssize(objects);
  const auto add_images = [&](const std::string& field, const std::string& name) {
    const int64_t side = file.expect_shape(name, std::vector<int64_t>{count, 3, -1, -1})[2];
    (void)file.expect_shape(name, std::vector<int64_t>{count, 3, side, side});
    pictures.images.push_back({field, side, floats_in(file, name)});
  };
  const auto add_spectra = [&](const std::string& field, const std::string& name, const std::string& wavelengths) {
    Spectra spectra{field, doubles_in(file, wavelengths), {}};
    (void)file.expect_shape(name, std::vector<int64_t>{count, std::ssize(spectra.wavelengths)});
    spectra.values = floats_in(file, name);
    if (spectra.wavelengths.size() > 1) pictures.spectra.push_back(std::move(spectra));
  };
  // Files of earlier versions have one field of each kind.
  if (file.contains("pictures/image")) add_images("image", "pictures/image");
  if (file.contains("pictures/spectrum")) add_spectra("spectrum", "pictures/spectrum", "pictures/wavelength");
  if (file.contains("pictures/images")) {
    for (const std::string& field : file.datasets("pictures/images")) add_images(field, "pictures/images/" + field);
  }
  if (file.contains("pictures/spectra")) {
    for (const std::string& field : file.datasets("pictures/spectra"))
      add_spectra(field, "pictures/spectra/" + field, "pictures/wavelengths/" + field);
  }
  return pictures;
}

std::string encoded_jpeg(std::span<const float> image, int64_t side) {
  std::vector<uint8_t> rgb;
  for (int64_t y = side - 1; y >= 0; --y) {
    for (int64_t x = 0; x < side; ++x) {
      for (int64_t colour = 0; colour < 3; ++colour)
        rgb.push_back(static_cast<uint8_t>(
            std::lround(255.0F * std::clamp(image[static_cast<size_t>((colour * side + y) * side + x)], 0.0F, 1.0F))));
    }
  }
  return base64(io::jpeg_bytes(side, side, rgb, jpeg_quality));
}

std::string picture_html(std::string_view encoded, const std::string& text, const std::string& attributes) {
  return fmt::format("<img{0} src=\"data:image/jpeg;base64,{1}\" alt=\"{2}\" title=\"{2}\">", attributes, encoded,
                     markup_text(text));
}

std::string line_marks(double redshift, double first, double last) {
  if (!std::isfinite(redshift)) return "";
  std::string marks;
  double before = -HUGE_VAL;
  for (const auto& [name, rest] : spectral_lines) {
    const double observed = rest * (1.0 + redshift);
    if (observed <= first || observed >= last) continue;
    marks += fmt::format(
        "set arrow from {0:.1f}, graph 0 to {0:.1f}, graph 1 nohead linecolor rgb '#888888' linewidth 0.5 "
        "dashtype 3\n",
        observed);
    if (observed - before < name_room * (last - first)) continue;
    marks += fmt::format("set label {} at {:.1f}, graph 1.05 center font ',8'\n", gnuplot_text(name), observed);
    before = observed;
  }
  return marks;
}

}  // namespace astroclip::report
