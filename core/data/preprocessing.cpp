#include "data/preprocessing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "data/survey.h"

namespace astroclip::data {

namespace {

using pixels::Stretch;

/// The keys of a stretch in a modality's table.
struct StretchKeys {
  Stretch::Kind kind;
  const char *scales, *offset, *softening;
};
constexpr StretchKeys stretch_keys[] = {{Stretch::Kind::rgb, "to_rgb_scales", "to_rgb_m", "to_rgb_q"},
                                        {Stretch::Kind::bands, "arcsinh_scales", "arcsinh_m", "arcsinh_q"}};
constexpr const char* planes_key = "planes";  // of an RGB image, in words
constexpr const char* crop_key = "crop";

/// Throws Error naming the key unless its value is a number.
double number(const config::Value* value, const Field& field, const char* key) {
  if (const auto real = real_number(value)) return *real;
  throw Error(fmt::format("[dataset] preprocessing of '{}': '{}' must be a number, found {}", field.name, key,
                          value == nullptr ? "nothing" : value->kind()));
}

}  // namespace

std::optional<double> real_number(const config::Value* value) {
  if (value == nullptr) return std::nullopt;
  if (const auto* integer = value->get_if<int64_t>()) return static_cast<double>(*integer);
  const auto* real = value->get_if<double>();
  return real == nullptr ? std::nullopt : std::optional(*real);
}

std::vector<std::string> split_bands(const std::string& text) {
  std::vector<std::string> bands;
  if (text.find(',') == std::string::npos) {
    for (const char letter : text) bands.emplace_back(1, letter);
    return bands;
  }
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    bands.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return bands;
}

std::string joined_bands(const std::vector<std::string>& bands) {
  const bool are_letters = std::ranges::all_of(bands, [](const std::string& band) { return band.size() == 1; });
  return fmt::format("{}", fmt::join(bands, are_letters ? "" : ","));
}

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
  image.set(crop_key, {std::string("centre"), {}});
  if (is_published) set_stretch(image, split_bands(std::string(published_bands)), Stretch());
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

const config::Table* modality_table(const config::Table& preprocessing, const std::string& modality) {
  const config::Value* value = preprocessing.find(modality);
  return value == nullptr ? nullptr : value->get_if<config::Table>();
}

std::vector<std::string> band_names(const config::Table& preprocessing, const Field& field) {
  const config::Table* table = modality_table(preprocessing, field.name);
  const config::Value* bands = table == nullptr ? nullptr : table->find("bands");
  const auto* text = bands == nullptr ? nullptr : bands->get_if<std::string>();
  if (text == nullptr) return {};
  std::vector<std::string> names = split_bands(*text);
  return std::ssize(names) == field.shape[0] ? names : std::vector<std::string>();
}

std::optional<Stretch> stretch_of(const config::Table& preprocessing, const Field& field) {
  const config::Table* table = modality_table(preprocessing, field.name);
  if (table == nullptr) return std::nullopt;
  for (const StretchKeys& keys : stretch_keys) {
    const config::Value* scales = table->find(keys.scales);
    if (scales == nullptr) continue;
    const auto* values = scales->get_if<config::Array>();
    if (values == nullptr || static_cast<int64_t>(values->size()) != field.shape[0])
      throw Error(fmt::format("[dataset] preprocessing of '{}': '{}' must have {} numbers, one for each band, found {}",
                              field.name, keys.scales, field.shape[0],
                              values == nullptr ? scales->kind() : std::to_string(values->size())));
    Stretch stretch{keys.kind,
                    {},
                    number(table->find(keys.offset), field, keys.offset),
                    number(table->find(keys.softening), field, keys.softening)};
    for (const config::Value& value : *values) stretch.scales.push_back(number(&value, field, keys.scales));
    return stretch;
  }
  return std::nullopt;
}

void set_stretch(config::Table& table, const std::vector<std::string>& bands, const std::optional<Stretch>& stretch) {
  for (const StretchKeys& keys : stretch_keys) {
    for (const char* key : {keys.scales, keys.offset, keys.softening}) table.erase(key);
  }
  table.erase(planes_key);
  if (!stretch) return;
  const StretchKeys& keys = *std::ranges::find(stretch_keys, stretch->kind, &StretchKeys::kind);
  config::Array scales;
  for (const double scale : stretch->scales) scales.emplace_back(scale, config::Location{});
  table.set(keys.scales, {scales, {}});
  table.set(keys.offset, {stretch->offset, {}});
  table.set(keys.softening, {stretch->softening, {}});
  if (stretch->kind == Stretch::Kind::rgb) table.set(planes_key, {joined_bands({bands.rbegin(), bands.rend()}), {}});
}

}  // namespace astroclip::data
