#include "data/paired_dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/preprocessing.h"
#include "data/row_order.h"
#include "io/hdf5/hdf5.h"

namespace astroclip::data {

namespace {

struct Description {
  const char* name;
  const char* unit;
  const char* meaning;
};

/// Of the layout's own columns; labels are the file's.
constexpr Description descriptions[] = {
    {"image", "nanomaggies", "flux; axes (band, y, x)"},
    {"spectrum", "1e-17 erg/s/cm²/Å", "flux from 3600 Å on, every 0.8 Å"},
    {"spectrum_ivar", "1/(1e-17 erg/s/cm²/Å)²", "inverse variance of the spectrum, 0 where there is no measurement"},
    {"redshift", "", "redshift"},
    {"object_id", "", "identifies the object"},
};

}  // namespace

PairedDataset::PairedDataset(const std::string& path, int64_t train_tenths)
    : file_(PairedFile::open(path, train_tenths)) {}

std::vector<Field> PairedDataset::fields() const {
  std::vector<Field> fields;
  for (const auto& column : file_.columns()) {
    const auto* known = std::ranges::find(descriptions, column.name, &Description::name);
    const bool is_known = known != std::end(descriptions);
    fields.push_back({column.name, column.dtype, column.shape, is_known ? known->unit : "",
                      is_known ? known->meaning : "label of the file"});
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

std::vector<std::string> PairedDataset::notes() const {
  std::vector<std::string> notes;
  const std::string recipe = io::Hdf5File::open(file_.path()).attribute("recipe");
  if (!recipe.empty()) notes.push_back(fmt::format("simulated, not observed: {}", recipe));
  if (!file_.left_out().empty()) {
    notes.push_back(fmt::format("left out, as they are not one number or text for each object: {}",
                                fmt::join(file_.left_out(), ", ")));
  }
  return notes;
}

config::Table PairedDataset::preprocessing() const {
  config::Table all;
  for (const auto& column : file_.columns()) {
    if (column.name == "image") all.set(column.name, {image_preprocessing(column.shape[0], file_.bands()), {}});
    if (column.name == "spectrum") all.set(column.name, {spectrum_preprocessing(), {}});
  }
  return all;
}

}  // namespace astroclip::data
