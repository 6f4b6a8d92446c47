#include "evaluate/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "data/preprocessing.h"
#include "data/survey.h"
#include "probe/metrics.h"

namespace astroclip::evaluate {

namespace {

/// Where g, r and z are; empty where one of them is not.
std::vector<int64_t> published_planes(const std::vector<std::string>& names) {
  std::vector<int64_t> planes;
  for (const char letter : data::published_bands) {
    const auto found = std::ranges::find(names, std::string(1, letter));
    if (found == names.end()) return {};
    planes.push_back(found - names.begin());
  }
  return planes;
}

bool is_in_nanomaggies(const config::Table& preprocessing, const Field& field) {
  const config::Table* table = data::modality_table(preprocessing, field.name);
  const config::Value* unit = table == nullptr ? nullptr : table->find("unit");
  const auto* text = unit == nullptr ? nullptr : unit->get_if<std::string>();
  return text != nullptr && *text == "nanomaggies";
}

/// By what a plane of the images is multiplied, so that its bright pixels are about as bright as those of others.
double scale_of(std::span<const float> images, const Field& field, int64_t plane) {
  const auto bands = static_cast<size_t>(field.shape[0]), pixels = static_cast<size_t>(field.shape[1] * field.shape[2]);
  std::vector<double> values;
  for (size_t begin = static_cast<size_t>(plane) * pixels; begin < images.size(); begin += bands * pixels) {
    for (const float value : images.subspan(begin, pixels)) {
      if (std::isfinite(value)) values.push_back(double{std::abs(value)});
    }
  }
  std::ranges::sort(values);
  const double bright = values.empty() ? 0.0 : probe::quantile(values, 0.99);
  return bright > 0.0 ? 0.3 / bright : 1.0;
}

std::optional<WavelengthGrid> wavelengths_of(const config::Table& preprocessing, const Field& field) {
  const config::Table* table = data::modality_table(preprocessing, field.name);
  if (table == nullptr || field.shape.rank() != 1) return std::nullopt;
  const auto first = data::real_number(table->find("first_wavelength")),
             step = data::real_number(table->find("wavelength_step"));
  if (!first || !step) return std::nullopt;
  if (!(*step > 0.0))
    throw Error(
        fmt::format("[dataset] preprocessing of '{}': 'wavelength_step' must be above 0, found {}", field.name, *step));
  return WavelengthGrid{*first, *step};
}

}  // namespace

ShownFields shown_fields(const Dataset& dataset, const std::set<std::string>& modalities) {
  const config::Table preprocessing = dataset.preprocessing();
  ShownFields shown;
  for (const Field& field : dataset.fields()) {
    if (!modalities.contains(field.name) && data::modality_table(preprocessing, field.name) == nullptr) continue;
    if (field.shape.rank() == image_axes) shown.images.push_back(field);
    if (const auto wavelengths = wavelengths_of(preprocessing, field)) shown.spectra.push_back({field, *wavelengths});
  }
  return shown;
}

Colours colours_of(const Dataset& dataset, const Field& field, std::span<const float> examples) {
  const config::Table preprocessing = dataset.preprocessing();
  const std::vector<int64_t> published = published_planes(data::band_names(preprocessing, field));
  const int64_t bands = field.shape[0];
  Colours colours{published.empty() ? std::vector<int64_t>{0, bands / 2, bands - 1} : published, {}};
  if (const auto own = data::stretch_of(preprocessing, field)) {
    colours.stretch = *own;
    colours.stretch.scales.clear();
    for (const int64_t plane : colours.bands) colours.stretch.scales.push_back(own->scales[static_cast<size_t>(plane)]);
  } else if (published.empty() || !is_in_nanomaggies(preprocessing, field)) {
    colours.stretch.scales.clear();
    for (const int64_t plane : colours.bands) colours.stretch.scales.push_back(scale_of(examples, field, plane));
  }
  return colours;
}

std::vector<float> picture_of(std::span<const float> image, const Shape& shape, const Colours& colours, int64_t side,
                              int64_t step) {
  const int64_t height = shape[1], width = shape[2];
  const int64_t top = (height - side * step) / 2, left = (width - side * step) / 2;
  std::vector<float> flux, rgb(static_cast<size_t>(3 * side * side));
  for (const int64_t band : colours.bands) {
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        float sum = 0.0F;
        for (int64_t v = 0; v < step; ++v) {
          for (int64_t u = 0; u < step; ++u)
            sum += image[static_cast<size_t>((band * height + top + y * step + v) * width + left + x * step + u)];
        }
        flux.push_back(std::isfinite(sum) ? sum / static_cast<float>(step * step) : 0.0F);
      }
    }
  }
  pixels::to_rgb(flux, colours.stretch, rgb);
  return rgb;
}

std::vector<float> binned(std::span<const float> values, int64_t together) {
  std::vector<float> bins;
  for (size_t begin = 0; begin < values.size(); begin += static_cast<size_t>(together)) {
    float sum = 0.0F, count = 0.0F;
    for (const float value : values.subspan(begin, std::min(values.size() - begin, static_cast<size_t>(together)))) {
      if (std::isfinite(value)) sum += value, count += 1.0F;
    }
    bins.push_back(sum / count);
  }
  return bins;
}

}  // namespace astroclip::evaluate
