#include "experiment/dataset_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "data/image_bands.h"
#include "data/labels.h"
#include "data/photometry.h"
#include "data/preprocessing.h"

namespace astroclip {

namespace {

constexpr const char* views_key = "views";

/// What [dataset] has beside a Selection.
struct ImagesAndViews {
  data::ImageOptions image;
  data::PhotometryOptions photometry;
  std::vector<std::pair<std::string, data::ViewGroup>> views;
};

const config::Schema<ImagesAndViews>& images_and_views_schema() {
  static const auto schema =
      config::Schema<ImagesAndViews>("Images and augmented views of a dataset.")
          .section("image", &ImagesAndViews::image, "what its images are taken as", data::image_schema())
          .section("photometry", &ImagesAndViews::photometry, "magnitudes as a modality", data::photometry_schema())
          .named_sections(
              views_key, &ImagesAndViews::views,
              "how augmented views are made, by groups: one named after each encoder, and those that losses "
              "ask for (docs/augmentation.md)",
              data::view_group_schema());
  return schema;
}

bool has_key(const std::vector<config::FieldDescription>& keys, const std::string& name) {
  return std::ranges::find(keys, name, &config::FieldDescription::name) != keys.end();
}

/// The bands that the section names.
std::optional<int64_t> named_bands(const data::ImageOptions& image, const config::Table& parameters) {
  const config::Value* own = parameters.find("bands");
  const auto* text = own == nullptr ? nullptr : own->get_if<std::string>();
  const std::string names = image.bands.empty() && text != nullptr ? *text : image.bands;
  return names.empty() ? std::nullopt : std::optional(std::ssize(data::split_bands(names)));
}

}  // namespace

DatasetSpec DatasetSpec::read(const config::Value& value, const config::Section& where, config::Problems& problems) {
  const auto selection_keys = data::selection_schema().describe(), further_keys = images_and_views_schema().describe();
  config::Table for_selection, further, own;
  config::Value views;
  for (const auto& entry : value.get_if<config::Table>()->entries()) {
    if (entry.key == views_key) {
      views = entry.value;
      continue;
    }
    config::Table& taker = has_key(selection_keys, entry.key) ? for_selection
                           : has_key(further_keys, entry.key) ? further
                                                              : own;
    taker.set(entry.key, entry.value, entry.location);
  }
  DatasetSpec spec{plugin::Spec<Dataset>::read({own, value.location()}, where, problems), std::move(views), {}, {}};
  const auto selection = data::selection_schema().parse(for_selection, where, value.location(), problems);
  data::check_selection(selection, for_selection, where, problems);
  const ImagesAndViews common = images_and_views_schema().parse(further, where, value.location(), problems);
  const data::ImageOptions& image = common.image;
  spec.bands = named_bands(image, spec.parameters);
  if (spec.written_views.get_if<config::Table>() == nullptr)
    problems.add(spec.written_views.location(),
                 where.says(fmt::format("'{}' must be a table, found {}", views_key, spec.written_views.kind())));
  if (!selection.empty()) {
    const config::Table resolved = data::selection_schema().dump(selection);
    for (const auto& entry : resolved.entries()) spec.parameters.set(entry.key, entry.value, entry.location);
  }
  if (!common.photometry.magnitudes.empty())
    spec.parameters.set("photometry", {data::photometry_schema().dump(common.photometry), {}});
  if (image != data::ImageOptions()) spec.parameters.set("image", {data::image_schema().dump(image), {}});
  if (spec.make) {
    spec.make = [make = std::move(spec.make), selection, image, photometry = common.photometry] {
      std::shared_ptr<Dataset> dataset = make();
      const std::string name = dataset->plugin_name();
      dataset = data::labelled(data::with_image_options(std::move(dataset), image), selection);
      dataset = data::with_photometry(std::move(dataset), photometry);
      dataset->set_plugin_name(name);
      return dataset;
    };
  }
  return spec;
}

std::vector<config::FieldDescription> DatasetSpec::common_keys() {
  std::vector<config::FieldDescription> keys = data::selection_schema().describe();
  const auto further = images_and_views_schema().describe();
  keys.insert(keys.end(), further.begin(), further.end());
  return keys;
}

data::ViewGroup DatasetSpec::view_group(const std::string& name) const {
  const auto own = std::ranges::find(views, name, &data::ViewGroup::name);
  if (own != views.end()) return *own;
  if (const auto known = data::known_view_group(name)) return *known;
  std::vector<std::string> names = data::known_view_groups();
  for (const data::ViewGroup& group : views) names.push_back(group.name);
  throw Error(fmt::format("[dataset.views] there is no group '{}' ({}){}", name, fmt::join(names, ", "),
                          suggestion(name, names)));
}

}  // namespace astroclip
