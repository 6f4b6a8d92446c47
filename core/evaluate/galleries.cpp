#include "evaluate/galleries.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <set>

#include "data/fields.h"
#include "evaluate/pictures.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "search/knn.h"

namespace astroclip::evaluate {

namespace {

constexpr size_t queries_shown = 4;
constexpr int64_t neighbours_shown = 5, found_rank = 10, most_ranked = 4000;
constexpr int64_t shown_side = 96, binning = 2;  // pixels of an image, and of those in one of the picture
constexpr int64_t most_bins = 400;               // of a spectrum
constexpr float shades = 63.0F;                  // of a picture: fewer bits are stored in fewer bytes

/// A name as one step of a path in HDF5.
std::string step_of_path(std::string name) {
  std::ranges::replace(name, '/', '_');
  return name;
}

/// The two representations of the model that share a space; else its first one alone.
std::vector<const Representation*> shown_representations(const TaskInput& input) {
  std::vector<const Representation*> all;
  for (const Representation& one : input.representations) {
    if (one.role == Role::model && one.test.values.rows > 1) all.push_back(&one);
  }
  for (const Representation* from : all) {
    for (const Representation* to : all) {
      if (from != to && from->cross_modal && to->cross_modal && from->name == to->name &&
          from->test.values.columns == to->test.values.columns)
        return {from, to};
    }
  }
  if (all.size() > 1) all.resize(1);
  return all;
}

/// Up to `most` of the values, evenly spaced.
template <class T>
std::vector<T> spaced(const std::vector<T>& values, size_t most) {
  const size_t count = std::min(most, values.size());
  std::vector<T> some;
  for (size_t i = 0; i < count; ++i) some.push_back(values[i * values.size() / count]);
  return some;
}

/// Fills in the neighbours of a gallery's queries.
void find_neighbours(Gallery& gallery, const std::vector<const Representation*>& all) {
  gallery.neighbours = neighbours_shown;
  for (const Representation* from : all) {
    for (const Representation* to : all) gallery.directions.push_back(from->modality + " → " + to->modality);
  }
  const size_t directions = gallery.directions.size(), shown = static_cast<size_t>(neighbours_shown);
  gallery.nearest.assign(gallery.queries.size() * directions * shown, -1);
  gallery.cosines.assign(gallery.nearest.size(), std::nan(""));
  size_t direction = 0;
  for (const Representation* from : all) {
    std::vector<int64_t> rows;
    for (const int64_t object : gallery.queries)
      rows.push_back(std::ranges::lower_bound(from->test.objects, object) - from->test.objects.begin());
    const Matrix queries = search::unit_rows(select_rows(from->test.values, rows));
    for (const Representation* to : all) {
      // One more than shown: a query itself is left out.
      const search::Neighbours found =
          search::nearest(queries, search::unit_rows(to->test.values), neighbours_shown + 1);
      for (size_t query = 0; query < gallery.queries.size(); ++query) {
        size_t place = (query * directions + direction) * shown;
        const size_t end = place + shown;
        for (int64_t i = 0; i < found.k && place < end; ++i) {
          const size_t at = query * static_cast<size_t>(found.k) + static_cast<size_t>(i);
          const int64_t object = to->test.objects[static_cast<size_t>(found.index[at])];
          if (object == gallery.queries[query]) continue;
          gallery.nearest[place] = object;
          gallery.cosines[place++] = 1.0 - 0.5 * found.distance[at] * found.distance[at];
        }
      }
      ++direction;
    }
  }
}

/// Objects with the worse of the two ranks of their partners, the best first.
struct RankedObject {
  int64_t rank, object;
};

std::vector<RankedObject> ranked(const Representation& a, const Representation& b) {
  std::vector<int64_t> both;
  std::ranges::set_intersection(a.test.objects, b.test.objects, std::back_inserter(both));
  both = spaced(both, static_cast<size_t>(most_ranked));
  std::vector<RankedObject> all;
  if (both.size() < 2) return all;
  const search::PartnerRanks ranks = search::partner_ranks(of_some(a.test, both).values, of_some(b.test, both).values);
  for (size_t i = 0; i < both.size(); ++i) all.push_back({std::max(ranks.in_queries[i], ranks.in_among[i]), both[i]});
  std::ranges::stable_sort(all, {}, &RankedObject::rank);
  return all;
}

Gallery gallery_of(const std::string& name, const std::vector<RankedObject>& queries) {
  Gallery gallery{name, {}, {}, 0, {}, {}, {}};
  for (const auto& [rank, object] : queries) {
    gallery.queries.push_back(object);
    gallery.ranks.push_back(rank);
  }
  return gallery;
}

template <class T>
void write_array(io::Hdf5File& file, const std::string& name, DType dtype, const Shape& shape,
                 const std::vector<T>& values, bool deflated = false) {
  file.make_dataset(name, dtype, shape, deflated ? shape[0] : 0);
  if (!values.empty()) file.write_rows(name, 0, shape[0], dtype, values.data());
}

/// Rows of the test split of a field.
HostArray read_test(const Dataset& dataset, const std::vector<int64_t>& rows, const Field& field) {
  HostBatch batch = data::read_fields(dataset, Split::test, rows, {field.name});
  return data::as_floats(std::move(batch.at(field.name)), field.name);
}

/// Pictures [rows, 3, side, side] of the middle of images, a pixel of `step` by `step` of theirs.
std::vector<float> pictures_of(const Dataset& dataset, const std::vector<int64_t>& rows, const Field& field,
                               int64_t side, int64_t step) {
  const HostArray images = read_test(dataset, rows, field);
  const auto all = images.values<float>();
  const Colours colours = colours_of(dataset, field, all);
  const auto size = static_cast<size_t>(field.shape.numel());
  std::vector<float> pictures;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const float value : picture_of(all.subspan(i * size, size), field.shape, colours, side, step))
      pictures.push_back(std::round(value * shades) / shades);
  }
  return pictures;
}

void write_spectra(io::Hdf5File& file, const Dataset& dataset, const std::vector<int64_t>& rows,
                   const ShownFields::Spectrum& shown) {
  const HostArray spectra = read_test(dataset, rows, shown.field);
  const auto all = spectra.values<float>();
  const int64_t size = shown.field.shape[0], together = (size + most_bins - 1) / most_bins;
  std::vector<float> values;
  for (size_t i = 0; i < rows.size(); ++i)
    std::ranges::copy(binned(all.subspan(i * static_cast<size_t>(size), static_cast<size_t>(size)), together),
                      std::back_inserter(values));
  std::vector<double> wavelengths;
  for (int64_t first = 0; first < size; first += together) {
    const int64_t last = std::min(first + together, size) - 1;
    wavelengths.push_back(shown.wavelengths.at(0.5 * static_cast<double>(first + last)));
  }
  const std::string name = step_of_path(shown.field.name);
  write_array(file, "pictures/spectra/" + name, DType::f32, {std::ssize(rows), std::ssize(wavelengths)}, values, true);
  write_array(file, "pictures/wavelengths/" + name, DType::f64, {std::ssize(wavelengths)}, wavelengths);
}

void write_pictures(io::Hdf5File& file, const Dataset& dataset, const ShownFields& fields,
                    const std::vector<int64_t>& objects, const std::vector<int64_t>& rows) {
  const auto count = std::ssize(objects);
  write_array(file, "pictures/object", DType::i64, {count}, objects);
  for (const Field& field : fields.images) {
    const int64_t side = std::min({shown_side, field.shape[1], field.shape[2]}) / binning;
    if (side == 0) continue;
    write_array(file, "pictures/images/" + step_of_path(field.name), DType::f32, {count, 3, side, side},
                pictures_of(dataset, rows, field, side, binning), true);
  }
  for (const ShownFields::Spectrum& spectrum : fields.spectra) write_spectra(file, dataset, rows, spectrum);
}

/// Along the field of the encoder's modality, where that can be shown.
void write_attention(io::Hdf5File& file, const Attention& one, const Dataset& dataset, const ShownFields& fields,
                     const std::vector<int64_t>& test_rows) {
  const auto image = std::ranges::find(fields.images, one.modality, &Field::name);
  const auto spectrum = std::ranges::find_if(fields.spectra, [&](const ShownFields::Spectrum& shown) {
    return shown.field.name == one.modality && shown.field.shape[0] == one.side;
  });
  const bool is_spectrum = spectrum != fields.spectra.end();
  if (image == fields.images.end() && !is_spectrum) return;
  const std::string group = "attention/" + step_of_path(one.encoder) + "/";
  const auto shown = std::ssize(one.objects);
  file.write_ids(group + "modality", {IdKind::text, {0}, {step_of_path(one.modality)}});
  write_array(file, group + "object", DType::i64, {shown}, one.objects);
  write_array(file, group + "weights", DType::f32, {shown, one.heads, one.tokens}, one.weights);
  std::vector<float> places = one.places;
  if (is_spectrum) {
    for (float& place : places) place = static_cast<float>(spectrum->wavelengths.at(double{place}));
    write_array(file, group + "wavelengths", DType::f32, {one.tokens}, places);
    return;
  }
  std::vector<int64_t> rows;
  for (const int64_t object : one.objects) rows.push_back(test_rows[static_cast<size_t>(object)]);
  const int64_t step = one.side >= shown_side ? binning : 1, side = one.side / step;
  // The centre of a pixel of the picture is that of `step` pixels.
  for (float& place : places) place = (place - 0.5F * static_cast<float>(step - 1)) / static_cast<float>(step);
  write_array(file, group + "places", DType::f32, {one.tokens, 2}, places);
  write_array(file, group + "image", DType::f32, {shown, 3, side, side}, pictures_of(dataset, rows, *image, side, step),
              true);
}

}  // namespace

std::vector<int64_t> first_queries(const std::vector<Gallery>& galleries) {
  return galleries.empty() ? std::vector<int64_t>() : galleries.front().queries;
}

std::vector<Gallery> galleries_of(const TaskInput& input) {
  const std::vector<const Representation*> shown = shown_representations(input);
  std::vector<Gallery> galleries;
  if (shown.empty()) return galleries;
  const std::vector<RankedObject> objects =
      shown.size() == 2 ? ranked(*shown[0], *shown[1]) : std::vector<RankedObject>();
  if (objects.empty()) {
    galleries.push_back({"examples", spaced(shown[0]->test.objects, queries_shown), {}, 0, {}, {}, {}});
    if (shown.size() == 2) return {};
  } else {
    const auto found = std::ranges::upper_bound(objects, found_rank, {}, &RankedObject::rank);
    const auto successes = spaced(std::vector(objects.begin(), found), queries_shown);
    if (!successes.empty()) galleries.push_back(gallery_of("successes", successes));
    const auto failures = std::min(std::ssize(objects), static_cast<std::ptrdiff_t>(queries_shown));
    galleries.push_back(gallery_of("failures", {objects.end() - failures, objects.end()}));
    std::ranges::reverse(galleries.back().queries);
    std::ranges::reverse(galleries.back().ranks);
  }
  for (Gallery& gallery : galleries) find_neighbours(gallery, shown);
  return galleries;
}

void write_objects(const std::string& path, const TaskInput& input, const Dataset& dataset,
                   const std::vector<int64_t>& rows, const std::vector<Gallery>& galleries,
                   const std::vector<Attention>& attention) {
  io::DurableFile durable(path);
  auto file = io::Hdf5File::create(durable.file());
  const auto count = std::ssize(input.test_ids);
  file.write_ids("object_id", input.id_names.of(input.test_ids));
  const std::vector<Field> columns = dataset.fields();
  for (const auto& [name, values] : input.test_labels) {
    write_array(file, "labels/" + step_of_path(name), DType::f64, {count}, values);
    const auto field = std::ranges::find(columns, name, &Field::name);
    if (field != columns.end() && !field->unit.empty())
      file.write_attribute("unit of " + step_of_path(name), field->unit);
  }
  std::set<std::string> modalities;
  for (const Representation& one : input.representations) modalities.insert(one.modality);
  const ShownFields fields = shown_fields(dataset, modalities);
  std::set<int64_t> shown;
  for (const Gallery& gallery : galleries) {
    const std::string group = "galleries/" + gallery.name;
    const auto queries = std::ssize(gallery.queries), directions = std::ssize(gallery.directions);
    write_array(file, group + "/queries", DType::i64, {queries}, gallery.queries);
    write_array(file, group + "/nearest", DType::i64, {queries, directions, gallery.neighbours}, gallery.nearest);
    write_array(file, group + "/cosines", DType::f64, {queries, directions, gallery.neighbours}, gallery.cosines);
    if (!gallery.ranks.empty()) write_array(file, group + "/ranks", DType::i64, {queries}, gallery.ranks);
    file.write_ids(group + "/directions",
                   {IdKind::text, std::vector<int64_t>(gallery.directions.size()), gallery.directions});
    shown.insert(gallery.queries.begin(), gallery.queries.end());
    shown.insert(gallery.nearest.begin(), gallery.nearest.end());
  }
  shown.erase(-1);
  if (!shown.empty()) {
    const std::vector<int64_t> objects(shown.begin(), shown.end());
    std::vector<int64_t> own;
    for (const int64_t object : objects) own.push_back(rows[static_cast<size_t>(object)]);
    write_pictures(file, dataset, fields, objects, own);
  }
  for (const Attention& one : attention) write_attention(file, one, dataset, fields, rows);
  file.close();
  durable.commit();
}

}  // namespace astroclip::evaluate
