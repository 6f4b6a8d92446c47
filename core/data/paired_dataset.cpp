#include "data/paired_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/image_view.h"
#include "data/preprocessing.h"

namespace astroclip::data {

namespace {

struct Description {
  const char* name;
  const char* unit;
  const char* meaning;
};

constexpr Description descriptions[] = {
    {"image", "nanomaggies", "flux in g, r, z; axes (band, y, x)"},
    {"spectrum", "1e-17 erg/s/cm²/Å", "flux from 3600 Å on, every 0.8 Å"},
    {"spectrum_ivar", "1/(1e-17 erg/s/cm²/Å)²", "inverse variance of the spectrum, 0 where there is no measurement"},
    {"redshift", "", "redshift"},
    {"object_id", "", "identifies the object"},
    {"log_mass", "log10 M☉", "stellar mass"},
    {"age", "Gyr", "age of the stars"},
    {"dust", "mag", "attenuation of starlight at 5500 Å"},
    {"log_sfr", "log10 M☉/yr", "star-formation rate"},
    {"mag_g", "AB mag", "measured total magnitude in g"},
    {"mag_r", "AB mag", "measured total magnitude in r"},
    {"mag_z", "AB mag", "measured total magnitude in z"},
    {"fibermag_g", "AB mag", "magnitude of the observed spectrum through g"},
    {"fibermag_r", "AB mag", "magnitude of the observed spectrum through r"},
    {"fibermag_z", "AB mag", "magnitude of the observed spectrum through z"},
};

constexpr int64_t least_window = 8;  // chunks

/// Scatter from pixel to pixel: the median absolute difference of neighbours, as a standard deviation.
float pixel_scatter(std::span<const float> values) {
  std::vector<float> steps(values.size() - 1);
  for (size_t i = 0; i < steps.size(); ++i) steps[i] = std::abs(values[i + 1] - values[i]);
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle / (0.6745F * std::sqrt(2.0F));
}

}  // namespace

PairedDataset::PairedDataset(const std::string& path, const Augmentation& augmentation, int64_t train_tenths,
                             PairedNeeds needs)
    : file_(PairedFile::open(path, train_tenths, needs)), augmentation_(augmentation) {}

std::vector<Field> PairedDataset::fields() const {
  std::vector<Field> fields;
  for (const auto& column : file_.columns()) {
    Field field{column.name, column.dtype, column.shape, "", "label of the file"};
    for (const auto& known : descriptions)
      if (column.name == known.name) {
        field.unit = known.unit;
        field.meaning = known.meaning;
      }
    fields.push_back(std::move(field));
  }
  return fields;
}

int64_t PairedDataset::size(Split split) const { return file_.size(split == Split::train); }

ReadPlan PairedDataset::read_plan(Split split) const {
  ReadPlan plan;
  if (file_.window() < least_window) return plan;  // rows in any order, slowly, rather than batches of neighbours
  for (const auto& range : file_.ranges(split == Split::train)) plan.ranges.push_back({range.begin, range.end});
  plan.window = file_.window();
  return plan;
}

void PairedDataset::read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
                         HostBatch& out) const {
  for (const auto& name : names) {
    const auto& column = file_.column(name);
    HostArray& array = out[name] =
        HostArray(column.dtype, HostArray::rows_of(column.shape, static_cast<int64_t>(rows.size())));
    file_.read(split == Split::train, rows, name, column.dtype, array.bytes.data());
  }
}

config::Table PairedDataset::preprocessing() const { return published_preprocessing(); }

std::string PairedDataset::source_field(const std::string& modality) const { return file_.column(modality).name; }

void PairedDataset::make_view(const ViewRequest& view, std::span<const float> raw, const Shape& view_shape, Rng& rng,
                              std::span<float> out) const {
  if (view.modality == "image")
    return make_image_view(view, raw, view_shape, augmentation_.image, file_.path(), rng, out);
  if (raw.size() != out.size())
    throw Error(fmt::format("{}: view '{}': the encoder takes {} values, '{}' has {}", file_.path(), view.name,
                            out.size(), view.modality, raw.size()));
  std::copy(raw.begin(), raw.end(), out.begin());
  if (!view.augment || augmentation_.spectrum_noise <= 0.0 || view.modality != "spectrum") return;
  const double level = augmentation_.spectrum_noise * static_cast<double>(pixel_scatter(raw));
  for (float& value : out) value += static_cast<float>(level * rng.normal());
}

}  // namespace astroclip::data
