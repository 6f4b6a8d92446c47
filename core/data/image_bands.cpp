#include "data/image_bands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "base/error.h"
#include "config/toml.h"
#include "data/preprocessing.h"
#include "data/survey.h"

namespace astroclip::data {

namespace {

constexpr const char *image_field = "image", *section_name = "[dataset.image]";
constexpr int stack_rank = 3;  // [bands, height, width]

/// The Legacy Surveys' viewer's, by band.
const std::map<std::string, double> viewer_scales = {{"g", 6.0}, {"r", 3.4}, {"i", 3.0}, {"z", 2.2}};

std::optional<Field> find_image(const Dataset& dataset) {
  const std::vector<Field> fields = dataset.fields();
  const auto found = std::ranges::find(fields, image_field, &Field::name);
  return found == fields.end() || found->shape.rank() != stack_rank ? std::nullopt : std::optional(*found);
}

config::Table image_table(const Dataset& dataset) {
  const config::Table all = dataset.preprocessing();
  const config::Table* table = modality_table(all, image_field);
  return table == nullptr ? config::Table() : *table;
}

/// Where each wanted band is; −1: nowhere.
std::vector<int64_t> places_of(const std::vector<std::string>& wanted, const std::vector<std::string>& there) {
  std::vector<int64_t> places;
  for (const std::string& band : wanted) {
    const auto found = std::ranges::find(there, band);
    places.push_back(found == there.end() ? -1 : found - there.begin());
  }
  return places;
}

std::vector<double> scales_of(const ImageOptions& options, const std::vector<std::string>& bands, int64_t count) {
  if (!options.scales.empty()) {
    if (std::ssize(options.scales) == count) return options.scales;
    throw Error(fmt::format("{} 'scales' must have {} numbers, one for each band, found {}", section_name, count,
                            options.scales.size()));
  }
  if (bands.empty())
    throw Error(
        fmt::format("{} 'scales' must be given, {} numbers: the dataset does not name its bands", section_name, count));
  std::vector<double> scales;
  for (const std::string& band : bands) {
    const auto known = viewer_scales.find(band);
    if (known == viewer_scales.end())
      throw Error(fmt::format("{} 'scales' must be given, one for each of {}: none is known for {}", section_name,
                              fmt::join(bands, ", "), band));
    scales.push_back(known->second);
  }
  return scales;
}

/// The bands asked for, of a dataset whose images have `count` planes.
std::vector<int64_t> chosen_planes(const std::vector<std::string>& wanted, const std::vector<std::string>& there,
                                   int64_t count) {
  std::vector<int64_t> planes(static_cast<size_t>(count));
  std::iota(planes.begin(), planes.end(), 0);
  if (there.empty()) {  // the experiment names them
    if (std::ssize(wanted) == count) return planes;
    throw Error(fmt::format("{} 'bands' names {}, and the dataset has {} bands without names", section_name,
                            fmt::join(wanted, ", "), count));
  }
  planes = places_of(wanted, there);
  const auto missing = std::ranges::find(planes, -1);
  if (missing == planes.end()) return planes;
  throw Error(fmt::format("{} 'bands' names {}, and the dataset has {}", section_name,
                          wanted[static_cast<size_t>(missing - planes.begin())], fmt::join(there, ", ")));
}

std::string repeated_band(const ImageOptions& options) {
  std::set<std::string> seen;
  for (const std::string& band : split_bands(options.bands)) {
    if (band.empty()) return "'bands' has an empty name";
    if (!seen.insert(band).second) return fmt::format("'bands' names {} twice", band);
  }
  return "";
}

}  // namespace

const config::Schema<ImageOptions>& image_schema() {
  using Stretching = ImageOptions::Stretching;
  static const auto schema =
      config::Schema<ImageOptions>("What the images of the dataset are taken as.")
          .field("bands", &ImageOptions::bands,
                 "which of its bands, in this order: \"griz\", or \"VIS,Y,J\"; empty: all. Encoders whose 'channels' "
                 "are not set have as many")
          .choice(
              "stretch", &ImageOptions::stretch,
              "what becomes of fluxes x: \"rgb\", one arcsinh for all bands, which keeps colours, and bands in "
              "reverse order; \"arcsinh\", asinh(Q·(s·x + m))/√Q in each band; \"none\"; or \"auto\", as the dataset "
              "has it: rgb for g, r, z, none for other bands",
              {{"auto", Stretching::automatic},
               {"rgb", Stretching::rgb},
               {"arcsinh", Stretching::arcsinh},
               {"none", Stretching::none}})
          .field("scales", &ImageOptions::scales, "s of each band; empty: 6, 3.4, 3 and 2.2 for g, r, i and z")
          .field("offset", &ImageOptions::offset, "m of the stretch")
          .field("softening", &ImageOptions::softening, "Q of the stretch", config::above(0.0))
          .check(repeated_band);
  return schema;
}

bool takes_bands(const std::string& modality) { return modality == image_field; }

ImageBands::ImageBands(std::shared_ptr<const Dataset> objects, std::vector<int64_t> planes, config::Table image)
    : DatasetAdapter(std::move(objects)),
      planes_(std::move(planes)),
      all_planes_(find_image(*objects_)->shape[0]),
      image_(std::move(image)) {
  set_plugin_name(objects_->plugin_name());
}

bool ImageBands::has_bands(const Field& field) const {
  const bool is_of_images = field.name == image_field || field.name.starts_with("image_");
  return is_of_images && field.shape.rank() == stack_rank && field.shape[0] == all_planes_;
}

std::vector<Field> ImageBands::fields() const {
  std::vector<Field> fields = objects_->fields();
  for (Field& field : fields) {
    if (has_bands(field)) field.shape = field.shape.with(0, std::ssize(planes_));
  }
  return fields;
}

void ImageBands::read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
                      HostBatch& out) const {
  objects_->read(split, rows, names, out);
  for (const Field& field : objects_->fields()) {
    if (!has_bands(field) || std::ranges::find(names, field.name) == names.end()) continue;
    HostArray& all = out.at(field.name);
    HostArray taken(all.dtype, HostArray::rows_of(field.shape.with(0, std::ssize(planes_)), std::ssize(rows)));
    const size_t plane = all.bytes.size() / (rows.size() * static_cast<size_t>(all_planes_));
    std::byte* to = taken.bytes.data();
    for (size_t row = 0; row < rows.size(); ++row) {
      for (const int64_t one : planes_) {
        std::memcpy(to, all.bytes.data() + (row * static_cast<size_t>(all_planes_) + static_cast<size_t>(one)) * plane,
                    plane);
        to += plane;
      }
    }
    all = std::move(taken);
  }
}

config::Table ImageBands::preprocessing() const {
  config::Table all = objects_->preprocessing();
  all.set(image_field, {image_, {}});
  return all;
}

std::shared_ptr<Dataset> with_image_options(std::shared_ptr<Dataset> objects, const ImageOptions& options) {
  using Stretching = ImageOptions::Stretching;
  if (options == ImageOptions()) return objects;
  const std::optional<Field> image = find_image(*objects);
  if (!image) throw Error(fmt::format("{} the dataset has no images", section_name));
  const config::Table all = objects->preprocessing();
  const std::vector<std::string> own = band_names(all, *image);
  const std::vector<std::string> bands = options.bands.empty() ? own : split_bands(options.bands);
  const int64_t count = bands.empty() ? image->shape[0] : std::ssize(bands);
  std::vector<int64_t> planes(static_cast<size_t>(count));
  std::iota(planes.begin(), planes.end(), 0);
  if (!bands.empty()) planes = chosen_planes(bands, own, image->shape[0]);
  config::Table table = image_table(*objects);
  if (!bands.empty()) table.set("bands", {joined_bands(bands), {}});
  std::optional<pixels::Stretch> stretch;
  if (options.stretch == Stretching::automatic) {
    const bool is_published = joined_bands(bands) == published_bands;
    if (bands == own) {
      stretch = stretch_of(all, *image);
    } else if (is_published) {
      stretch = pixels::Stretch();
    }
  } else if (options.stretch != Stretching::none) {
    const auto kind = options.stretch == Stretching::rgb ? pixels::Stretch::Kind::rgb : pixels::Stretch::Kind::bands;
    stretch = {kind, scales_of(options, bands, count), options.offset, options.softening};
  }
  set_stretch(table, bands, stretch);
  return std::make_shared<ImageBands>(std::move(objects), std::move(planes), std::move(table));
}

std::shared_ptr<const Dataset> as_taken(std::shared_ptr<const Dataset> objects, const config::Table& preprocessing,
                                        const std::string& place) {
  const std::optional<Field> image = find_image(*objects);
  const config::Table* model = modality_table(preprocessing, image_field);
  const config::Value* bands = model == nullptr ? nullptr : model->find("bands");
  const auto* text = bands == nullptr ? nullptr : bands->get_if<std::string>();
  if (!image || text == nullptr) return objects;
  const std::vector<std::string> wanted = split_bands(*text), there = band_names(objects->preprocessing(), *image);
  if (there.empty()) return objects;
  std::vector<int64_t> planes = places_of(wanted, there);
  if (std::ranges::find(planes, -1) != planes.end())
    throw Error(fmt::format("{}: the model takes images in the bands {}, these are in {}", place,
                            fmt::join(wanted, ", "), fmt::join(there, ", ")));
  const Field taken{image_field, image->dtype, image->shape.with(0, std::ssize(wanted)), "", ""};
  config::Table table = image_table(*objects);
  table.set("bands", *bands);
  set_stretch(table, wanted, stretch_of(preprocessing, taken));
  const bool are_all = std::ssize(wanted) == image->shape[0] && std::ranges::is_sorted(planes);
  if (are_all && config::to_toml(table) == config::to_toml(image_table(*objects))) return objects;
  return std::make_shared<ImageBands>(std::move(objects), std::move(planes), std::move(table));
}

}  // namespace astroclip::data
