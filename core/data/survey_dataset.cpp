#include "data/survey_dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/survey_ids.h"
#include "base/text.h"
#include "data/fields.h"
#include "data/preprocessing.h"
#include "data/row_order.h"
#include "data/survey.h"
#include "io/file_list.h"

namespace astroclip::data {

namespace {

constexpr int64_t thousand = 1000;
constexpr std::array legacy_parts = {"release", "brickid", "objid"};

/// Rounded up.
int64_t to_mb(int64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

size_t number(Split split) { return split == Split::train ? 0 : 1; }

}  // namespace

SurveyDataset::SurveyDataset(const Options& options)
    : options_(options),
      files_(io::hdf5_files(options.files), options.cache_bytes),
      train_of_a_thousand_(std::llround(options.train_fraction * static_cast<double>(thousand))) {
  for (const Split split : {Split::train, Split::test}) {
    auto& first = first_[number(split)];
    first.push_back(0);
    for (size_t file = 0; file < files_.files(); ++file)
      first.push_back(first.back() + count(split, files_.first_row(file + 1) - files_.first_row(file)));
  }
  choose_ids();
}

void SurveyDataset::choose_ids() {
  if (options_.object_id.empty()) {
    constexpr std::array names = {"object_id", "objectid", "targetid", "target_id", "source_id", "specobjid", "ls_id"};
    options_.object_id = column_of_all(names);
  }
  for (size_t file = 0; file < files_.files() && !options_.object_id.empty(); ++file) {
    const auto& names = files_.names(file);
    if (std::ranges::find(names, options_.object_id) != names.end()) continue;
    throw Error(fmt::format("{}: no column '{}' of object ids in every file; there are: {}", files_.path(file),
                            options_.object_id, fmt::join(names, ", ")));
  }
  if (!options_.object_id.empty()) {
    id_kind_ = files_.id_kind(options_.object_id);
    return;
  }
  for (const char* part : legacy_parts) {
    const std::string column = column_of_all({&part, 1});
    if (files_.has(column)) legacy_columns_.push_back(column);
  }
  if (legacy_columns_.size() < legacy_parts.size()) legacy_columns_.clear();
}

/// Ids of some files beside row numbers of others would be neither.
std::string SurveyDataset::column_of_all(std::span<const char* const> names) const {
  const auto column_of = [&](size_t file) -> std::string {
    for (const char* name : names) {
      const auto found = std::ranges::find(files_.names(file), name, lower);
      if (found != files_.names(file).end()) return *found;
    }
    return "";
  };
  const std::string first = column_of(0);
  for (size_t file = 1; file < files_.files(); ++file) {
    const std::string here = column_of(file);
    if (here == first) continue;
    const size_t with = first.empty() ? file : 0;
    throw Error(fmt::format("{}: has no column '{}', {} has one: ids must be in all files or in none",
                            files_.path(file - with), first.empty() ? here : first, files_.path(with)));
  }
  return first;
}

std::string SurveyDataset::place() const {
  const size_t others = files_.files() - 1;
  return others == 0 ? files_.path(0) : fmt::format("{} and {} more", files_.path(0), others);
}

int64_t SurveyDataset::count(Split split, int64_t rows) const {
  const int64_t train = rows / thousand * train_of_a_thousand_ + std::min(rows % thousand, train_of_a_thousand_);
  return split == Split::train ? train : rows - train;
}

std::vector<int64_t> SurveyDataset::file_rows(Split split, std::span<const int64_t> rows) const {
  const auto& first = first_[number(split)];
  const bool train = split == Split::train;
  const int64_t each = train ? train_of_a_thousand_ : thousand - train_of_a_thousand_;
  const int64_t skipped = train ? 0 : train_of_a_thousand_;
  std::vector<int64_t> found;
  found.reserve(rows.size());
  for (const int64_t row : rows) {
    if (row < 0 || row >= first.back())
      throw Error(fmt::format("{}: {} {} objects, row {} was asked for", place(), first.back(),
                              train ? "training" : "test", row));
    const auto file = static_cast<size_t>(std::ranges::upper_bound(first, row) - first.begin()) - 1;
    const int64_t local = row - first[file];
    found.push_back(files_.first_row(file) + local / each * thousand + skipped + local % each);
  }
  return found;
}

std::vector<Field> SurveyDataset::fields() const {
  std::vector<Field> fields;
  if (files_.has_images())
    fields.push_back({"image", DType::f32, files_.image_shape(), "nanomaggies", "flux; axes (band, y, x)"});
  else
    fields.push_back(
        {"spectrum", DType::f32, {survey_spectrum_pixels}, "1e-17 erg/s/cm²/Å", "flux from 3600 Å on, every 0.8 Å"});
  if (files_.has_ivar())
    fields.push_back({"spectrum_ivar",
                      DType::f32,
                      {survey_spectrum_pixels},
                      "1/(1e-17 erg/s/cm²/Å)²",
                      "inverse variance of the spectrum, 0 where there is no measurement"});
  if (files_.has_masks())
    fields.push_back({"has_image", DType::f64, {}, "", "1 where at most 5 % of the pixels of each band are masked"});
  fields.push_back({"object_id", DType::i64, {}, "", meaning_of_ids()});
  for (const auto& column : files_.columns())
    if (column.name != "object_id" && !(column.name == "has_image" && files_.has_masks()))
      fields.push_back({column.name, column.dtype, {}, "", "column of the files"});
  return fields;
}

int64_t SurveyDataset::size(Split split) const { return first_[number(split)].back(); }

ReadPlan SurveyDataset::read_plan(Split split) const {
  ReadPlan plan;
  int64_t most_rows = 1, most_bytes = 1;
  for (size_t file = 0; file < files_.files(); ++file) {
    most_rows = std::max(most_rows, files_.rows_together(file));
    most_bytes = std::max(most_bytes, files_.bytes_together(file));
  }
  if (most_rows == 1) return plan;
  // Batches of two windows may be in the making at once.
  plan.window = options_.cache_bytes / 2 / most_bytes;
  if (plan.window < least_window)
    throw Error(fmt::format(
        "{}: chunks of {} images take {} MB: cache_mb = {} is too small to shuffle, at least {} is "
        "needed",
        place(), most_rows, to_mb(most_bytes), to_mb(options_.cache_bytes), to_mb(2 * least_window * most_bytes)));
  for (size_t file = 0; file < files_.files(); ++file) {
    const int64_t rows = files_.first_row(file + 1) - files_.first_row(file);
    const int64_t together = files_.rows_together(file), first = first_[number(split)][file];
    for (int64_t begin = 0; begin < rows; begin += together) {
      const RowRange range{first + count(split, begin), first + count(split, std::min(rows, begin + together))};
      if (range.end > range.begin) plan.ranges.push_back(range);
    }
  }
  return plan;
}

void SurveyDataset::read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
                         HostBatch& out) const {
  const auto wanted = file_rows(split, rows);
  for (const auto& name : names) {
    HostArray& array = out[name] = HostArray(field_of(*this, name), static_cast<int64_t>(rows.size()));
    if (name == "image")
      files_.read_images(wanted, array.values<float>().data());
    else if (name == "spectrum")
      files_.read_spectra(wanted, array.values<float>().data(), nullptr);
    else if (name == "spectrum_ivar")
      files_.read_spectra(wanted, nullptr, array.values<float>().data());
    else if (name == "has_image" && files_.has_masks())
      files_.read_observed(wanted, array.values<double>().data());
    else if (name == "object_id")
      read_object_ids(wanted, array.values<int64_t>().data());
    else
      files_.read_column(name, wanted, array.dtype, array.bytes.data());
  }
}

std::string SurveyDataset::meaning_of_ids() const {
  if (!options_.object_id.empty()) return "identifies the object: column " + options_.object_id;
  if (legacy_columns_.empty()) return "the row's number, as the files have no ids";
  return fmt::format("identifies the object: DESI's TARGETID, made of {}", fmt::join(legacy_columns_, ", "));
}

std::vector<std::string> SurveyDataset::id_texts(Split split, std::span<const int64_t> rows) const {
  return files_.read_ids(options_.object_id, file_rows(split, rows)).texts;
}

void SurveyDataset::read_object_ids(std::span<const int64_t> rows, int64_t* out) const {
  if (!options_.object_id.empty()) {
    std::ranges::copy(files_.read_ids(options_.object_id, rows).keys, out);
    return;
  }
  if (legacy_columns_.empty()) {
    std::ranges::transform(rows, out, [&](int64_t row) { return options_.first_id + row; });
    return;
  }
  std::vector<int64_t> parts[legacy_parts.size()];
  for (size_t i = 0; i < legacy_parts.size(); ++i) {
    parts[i].resize(rows.size());
    files_.read_column(legacy_columns_[i], rows, DType::i64, parts[i].data());
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    try {
      out[i] = desi_target_id(parts[0][i], parts[1][i], parts[2][i]);
    } catch (const Error& error) {
      throw Error(fmt::format("{}: {}", files_.place_of(rows[i]), error.what()));
    }
  }
}

std::vector<std::string> SurveyDataset::files() const {
  std::vector<std::string> paths;
  for (size_t file = 0; file < files_.files(); ++file) paths.push_back(files_.path(file));
  return paths;
}

std::vector<std::string> SurveyDataset::notes() const {
  std::vector<std::string> notes;
  const std::vector<std::string>& texts = files_.text_columns();
  std::set<std::string> left_out;
  for (size_t file = 0; file < files_.files(); ++file) {
    for (const std::string& name : files_.names(file)) {
      const auto& measured = files_.measurements();
      const bool is_used = name == options_.object_id || files_.has(name) ||
                           std::ranges::find(texts, name) != texts.end() ||
                           std::ranges::find(measured, name) != measured.end();
      if (!is_used) left_out.insert(name);
    }
  }
  if (!left_out.empty())
    notes.push_back(
        fmt::format("left out, as they are not one number or text for each object: {}", fmt::join(left_out, ", ")));
  if (files_.has_masks())
    notes.push_back(
        fmt::format("pixels that image_mask or image_ivar takes out are 0; images with over {:.0f} % of them in a band "
                    "count as not "
                    "observed (has_image)",
                    100.0 * zero_share_limit));
  if (!files_.bands_left_out().empty())
    notes.push_back(fmt::format("bands {} taken, {} left out", files_.bands(), files_.bands_left_out()));
  if (options_.object_id.empty() && legacy_columns_.empty()) notes.push_back("object_id is " + meaning_of_ids());
  return notes;
}

config::Table SurveyDataset::preprocessing() const {
  config::Table all;
  if (files_.has_images())
    all.set("image", {image_preprocessing(files_.image_shape()[0], files_.bands()), {}});
  else
    all.set("spectrum", {spectrum_preprocessing(), {}});
  return all;
}

}  // namespace astroclip::data
