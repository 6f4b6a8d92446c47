#include "data/preprocessing.h"

#include <fmt/format.h>

#include "base/error.h"
#include "data/survey.h"

namespace astroclip::data {

namespace {

constexpr const char *scales_key = "to_rgb_scales", *offset_key = "to_rgb_m", *stretch_key = "to_rgb_q";

/// Throws Error naming the key unless its value is a number.
double number(const config::Value* value, const Field& field, const char* key) {
  if (value != nullptr) {
    if (const auto* real = value->get_if<double>()) return *real;
    if (const auto* integer = value->get_if<int64_t>()) return static_cast<double>(*integer);
  }
  throw Error(fmt::format("[dataset] preprocessing of '{}': '{}' must be a number, found {}", field.name, key,
                          value == nullptr ? "nothing" : value->kind()));
}

}  // namespace

config::Table image_preprocessing(int64_t bands, const std::string& names) {
  config::Table image;
  image.set("unit", {std::string("nanomaggies"), {}});
  const bool is_published = names.empty() ? bands == std::ssize(published_bands) : names == published_bands;
  if (is_published) {
    image.set("bands", {std::string(published_bands), {}});
  } else if (!names.empty()) {
    image.set("bands", {names, {}});
  } else {
    image.set("bands", {bands, {}});
  }
  image.set("pixel_scale", {pixel_scale, {}});
  if (is_published) {
    const RgbStretch published;
    config::Array scales;
    for (const double scale : published.scales) scales.emplace_back(scale, config::Location{});
    image.set(scales_key, {scales, {}});
    image.set(offset_key, {published.offset, {}});
    image.set(stretch_key, {published.stretch, {}});
    image.set("planes", {std::string(published_bands.rbegin(), published_bands.rend()), {}});
  }
  image.set("crop", {std::string("centre"), {}});
  return image;
}

config::Table spectrum_preprocessing() {
  config::Table spectrum;
  spectrum.set("unit", {std::string("1e-17 erg/s/cm²/Å"), {}});
  spectrum.set("first_wavelength", {first_wavelength, {}});
  spectrum.set("wavelength_step", {wavelength_step, {}});
  return spectrum;
}

config::Table published_preprocessing() {
  config::Table all;
  all.set("image", {image_preprocessing(std::ssize(published_bands), std::string(published_bands)), {}});
  all.set("spectrum", {spectrum_preprocessing(), {}});
  return all;
}

std::optional<RgbStretch> stretch_of(const config::Table& preprocessing, const Field& field) {
  const config::Value* modality = preprocessing.find(field.name);
  const auto* table = modality == nullptr ? nullptr : modality->get_if<config::Table>();
  const config::Value* scales = table == nullptr ? nullptr : table->find(scales_key);
  if (scales == nullptr) return std::nullopt;
  const auto* values = scales->get_if<config::Array>();
  if (values == nullptr || static_cast<int64_t>(values->size()) != field.shape[0])
    throw Error(fmt::format("[dataset] preprocessing of '{}': '{}' must have {} numbers, one for each band, found {}",
                            field.name, scales_key, field.shape[0],
                            values == nullptr ? scales->kind() : std::to_string(values->size())));
  RgbStretch stretch{
      {}, number(table->find(offset_key), field, offset_key), number(table->find(stretch_key), field, stretch_key)};
  for (const config::Value& value : *values) stretch.scales.push_back(number(&value, field, scales_key));
  return stretch;
}

}  // namespace astroclip::data
