#include "data/photometry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "data/fields.h"

namespace astroclip::data {

namespace {

constexpr const char* photometry_field = "photometry";
constexpr const char* photometry_flag = "has_photometry";

}  // namespace

const config::Schema<PhotometryOptions>& photometry_schema() {
  static const auto schema =
      config::Schema<PhotometryOptions>("Magnitudes as a modality of their own.")
          .field("magnitudes", &PhotometryOptions::magnitudes,
                 "labels of which the modality \"photometry\" is made, one for each band; empty: there is none. A band "
                 "without a value is given as not measured")
          .field("errors", &PhotometryOptions::errors,
                 "labels of the magnitudes' errors, along 'magnitudes'; empty: none is known")
          .check([](const PhotometryOptions& options) -> std::string {
            const size_t bands = options.magnitudes.size(), errors = options.errors.size();
            if (errors == 0 || errors == bands) return "";
            return fmt::format("'errors' has {} labels, 'magnitudes' has {}", errors, bands);
          });
  return schema;
}

WithPhotometry::WithPhotometry(std::shared_ptr<const Dataset> objects, PhotometryOptions options)
    : DatasetAdapter(std::move(objects)), options_(std::move(options)), missing_(options_.magnitudes.size()) {
  const std::vector<Field> fields = objects_->fields();
  std::vector<std::string> labels;
  for (const Field& field : fields) {
    if (field.shape.rank() == 0) labels.push_back(field.name);
  }
  for (const auto* names : {&options_.magnitudes, &options_.errors}) {
    for (const std::string& name : *names) {
      if (std::ranges::find(labels, name) != labels.end()) continue;
      throw Error(fmt::format("[dataset.photometry] there is no label '{}'; there are {}{}", name,
                              fmt::join(labels, ", "), suggestion(name, labels)));
    }
  }
  for (const Split split : {Split::train, Split::test}) all_[split == Split::test ? 1 : 0] = photometry_of(split);
  if (without_ < size(Split::train) + size(Split::test)) return;
  throw Error(fmt::format("[dataset.photometry] no object has a value of {}", fmt::join(options_.magnitudes, ", ")));
}

std::vector<float> WithPhotometry::photometry_of(Split split) {
  const std::vector<int64_t> rows = rows_with(*objects_, split, {});
  const size_t bands = options_.magnitudes.size();
  std::vector<float> all(rows.size() * 3 * bands);
  std::vector<bool> has_any(rows.size());
  for (size_t band = 0; band < bands; ++band) {
    const std::vector<double> magnitudes = read_label(*objects_, split, rows, options_.magnitudes[band]);
    std::vector<double> errors(rows.size());
    if (!options_.errors.empty()) errors = read_label(*objects_, split, rows, options_.errors[band]);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (std::isfinite(magnitudes[i]) && errors[i] < 0.0)
        throw Error(
            fmt::format("[dataset.photometry] '{}' is {} for an object; errors are not below 0, and a missing "
                        "one is named in 'sentinels'",
                        options_.errors[band], errors[i]));
      const bool is_measured = std::isfinite(magnitudes[i]) && std::isfinite(errors[i]);
      missing_[band] += is_measured ? 0 : 1;
      if (!is_measured) continue;
      has_any[i] = true;
      float* object = all.data() + i * 3 * bands + band;
      object[0] = static_cast<float>(magnitudes[i]);
      object[bands] = static_cast<float>(errors[i]);
      object[2 * bands] = 1.0F;
    }
  }
  without_ += std::ranges::count(has_any, false);
  return all;
}

std::vector<Field> WithPhotometry::fields() const {
  std::vector<Field> fields = objects_->fields();
  fields.push_back({photometry_field,
                    DType::f32,
                    {3, std::ssize(options_.magnitudes)},
                    "AB mag",
                    "magnitudes, their errors, and 1 where a band was measured"});
  fields.push_back({photometry_flag, DType::f64, {}, "", "1 for objects with photometry in any band"});
  return fields;
}

void WithPhotometry::read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
                          HostBatch& out) const {
  const std::vector<float>& all = all_[split == Split::test ? 1 : 0];
  const auto bands = std::ssize(options_.magnitudes), each = 3 * bands;
  std::vector<std::string> others;
  for (const std::string& name : names) {
    if (name != photometry_field && name != photometry_flag) {
      others.push_back(name);
      continue;
    }
    HostArray& array = out[name] = HostArray(field_of(*this, name), std::ssize(rows));
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto object = all.begin() + rows[i] * each;
      if (name == photometry_field)
        std::copy_n(object, each, array.values<float>().begin() + static_cast<int64_t>(i) * each);
      else
        array.values<double>()[i] = std::any_of(object + 2 * bands, object + each, [](float w) { return w > 0; });
    }
  }
  if (!others.empty()) objects_->read(split, rows, others, out);
}

config::Table WithPhotometry::preprocessing() const {
  config::Table all = objects_->preprocessing(), own;
  own.set("unit", {std::string("AB mag"), {}});
  own.set("bands", {fmt::format("{}", fmt::join(options_.magnitudes, ",")), {}});
  own.set("errors", {!options_.errors.empty(), {}});
  all.set(photometry_field, {own, {}});
  return all;
}

std::vector<std::string> WithPhotometry::notes() const {
  std::vector<std::string> all = objects_->notes(), counts;
  for (size_t band = 0; band < missing_.size(); ++band) {
    if (missing_[band] > 0) counts.push_back(fmt::format("{} without {}", missing_[band], options_.magnitudes[band]));
  }
  all.push_back(fmt::format(
      "photometry of {}{}: of {} objects {}; a missing band is given as not measured",
      fmt::join(options_.magnitudes, ", "), options_.errors.empty() ? ", without errors" : "",
      size(Split::train) + size(Split::test),
      counts.empty() ? "none lacks a band" : fmt::format("{}, {} without any", fmt::join(counts, ", "), without_)));
  return all;
}

std::shared_ptr<Dataset> with_photometry(std::shared_ptr<Dataset> objects, const PhotometryOptions& options) {
  if (options.magnitudes.empty()) return objects;
  return std::make_shared<WithPhotometry>(std::move(objects), options);
}

}  // namespace astroclip::data
