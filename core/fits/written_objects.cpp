#include "fits/written_objects.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <optional>

#include "base/object_ids.h"
#include "data/layouts/paired_file.h"
#include "data/survey.h"

namespace astroclip::fits {

namespace {

/// The number that a text is written as; none if it is no such number.
template <class T>
std::optional<T> number_of(const std::string& text) {
  T number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  const bool is_all = read.ec == std::errc() && read.ptr == end && std::to_string(number) == text;
  return is_all ? std::optional(number) : std::nullopt;
}

/// As signed numbers, else unsigned ones, else texts, whichever all of them are.
ObjectIds ids_of(const std::vector<WrittenObject>& objects) {
  const auto all = [&](auto is) { return std::ranges::all_of(objects, is, &WrittenObject::id); };
  ObjectIds ids;
  ids.kind = all([](const auto& id) { return number_of<int64_t>(id).has_value(); })    ? IdKind::int64
             : all([](const auto& id) { return number_of<uint64_t>(id).has_value(); }) ? IdKind::uint64
                                                                                       : IdKind::text;
  for (const WrittenObject& object : objects) {
    if (ids.kind == IdKind::text) ids.texts.push_back(object.id);
    ids.keys.push_back(ids.kind == IdKind::int64    ? *number_of<int64_t>(object.id)
                       : ids.kind == IdKind::uint64 ? std::bit_cast<int64_t>(*number_of<uint64_t>(object.id))
                                                    : id_key(object.id));
  }
  return ids;
}

TableLabels labels_of(const std::vector<WrittenObject>& objects, const LabelTables& tables) {
  std::vector<std::string> ids;
  std::vector<SkyPosition> places;
  for (const WrittenObject& object : objects) {
    ids.push_back(object.has_own_id ? object.id : "");
    places.push_back(object.position);
  }
  return tables.join(ids, places);
}

}  // namespace

int64_t put_test_objects_last(std::vector<WrittenObject>& objects) {
  std::array<std::vector<WrittenObject>, 3> kinds;  // pairs, images alone, spectra alone
  for (const WrittenObject& object : objects)
    kinds[object.spectrum == nullptr ? 1 : object.image < 0 ? 2 : 0].push_back(object);
  const size_t training = objects.size() * 8 / 10;
  std::array<size_t, 3> testing = {};
  size_t left = objects.size() - training;
  for (size_t k = 0; k < kinds.size(); ++k) left -= testing[k] = kinds[k].size() / 5;
  const auto largest = static_cast<size_t>(
      std::ranges::max_element(kinds, {}, [](const auto& one) { return one.size(); }) - kinds.begin());
  testing[largest] += left;
  objects.clear();
  for (const bool last : {false, true}) {
    for (size_t k = 0; k < kinds.size(); ++k) {
      const auto border = kinds[k].end() - static_cast<std::ptrdiff_t>(testing[k]);
      objects.insert(objects.end(), last ? border : kinds[k].begin(), last ? kinds[k].end() : border);
    }
  }
  return static_cast<int64_t>(training);
}

std::vector<std::string> write_objects(const std::vector<WrittenObject>& objects, const PixelStore& pixels,
                                       const ImportRequest& request, const LabelTables& tables) {
  const TableLabels joined = labels_of(objects, tables);
  std::vector<std::string> labels = {"has_image", "has_spectrum", "ra", "dec", "zwarn"};
  for (const auto& [name, values] : joined.labels) labels.push_back(name);
  const int64_t sizes[] = {std::ssize(objects)};
  const std::vector<std::string>& names = request.images.bands;
  data::PairedWriter writer(request.output, sizes, labels, true, std::ssize(names), ids_of(objects));
  const std::vector<float> no_image(names.size() * static_cast<size_t>(data::image_side * data::image_side), 0.0F);
  std::vector<float> planes(no_image.size());
  const std::vector<float> no_spectrum(static_cast<size_t>(data::spectrum_pixels), 0.0F);
  for (size_t place = 0; place < objects.size(); ++place) {
    const WrittenObject& object = objects[place];
    const bool has_image = object.image >= 0, has_spectrum = object.spectrum != nullptr;
    if (has_image) pixels.read(object.image, planes);
    const double flags[] = {has_image ? 1.0 : 0.0, has_spectrum ? 1.0 : 0.0};
    data::PairedRows row;
    row.count = 1;
    row.images = has_image ? planes : no_image;
    row.spectra = has_spectrum ? object.spectrum->flux : no_spectrum;
    row.ivar = has_spectrum ? object.spectrum->ivar : no_spectrum;
    row.redshifts = {&object.redshift, 1};
    row.labels = {{"has_image", {flags, 1}},
                  {"has_spectrum", {flags + 1, 1}},
                  {"ra", {&object.position.ra, 1}},
                  {"dec", {&object.position.dec, 1}},
                  {"zwarn", {&object.warning, 1}}};
    for (const auto& [name, values] : joined.labels) row.labels[name] = {&values[place], 1};
    writer.write(row);
  }
  for (const auto& [name, texts] : joined.texts) writer.write_texts(name, texts);
  const bool are_letters = std::ranges::all_of(names, [](const std::string& name) { return name.size() == 1; });
  writer.write_attribute("bands", fmt::format("{}", fmt::join(names, are_letters ? "" : ",")));
  writer.write_attribute("image_values", !request.images.values                        ? "by the unit"
                                         : *request.images.values == PixelValues::flux ? "flux"
                                                                                       : "brightness");
  writer.commit();
  return joined.notes;
}

}  // namespace astroclip::fits
