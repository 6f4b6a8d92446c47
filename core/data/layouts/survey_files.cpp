#include "data/layouts/survey_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace astroclip::data {

bool has_survey_layout(const std::string& path) {
  const io::Hdf5File file = io::Hdf5File::open(path);
  const auto datasets = file.datasets("");
  if (std::ranges::find(datasets, "images") == datasets.end()) return false;
  const Shape shape = file.shape("images");
  return shape.rank() == 4 && shape[2] == survey_image_side && shape[3] == survey_image_side;
}

SurveyFiles::SurveyFiles(const std::vector<std::string>& paths, int64_t cache_bytes) {
  const auto cache = std::make_shared<io::BlockCache>(cache_bytes);
  for (const std::string& path : paths) {
    const io::Hdf5File file = io::Hdf5File::open(path);
    const int64_t bands = files_.empty() ? -1 : image_shape_[0];
    const Shape images =
        file.expect_shape("images", std::array{int64_t{-1}, bands, survey_image_side, survey_image_side});
    const int64_t rows = images[0];
    image_shape_ = {images[1], images[2], images[3]};
    File opened{path, file, file.datasets(""), io::RowReader(file, "images", cache), {}};
    if (opened.images.dtype() != DType::f32)
      throw Error(fmt::format("{}: dataset 'images' holds {}, expected f32", path, name_of(opened.images.dtype())));
    for (const auto& name : opened.names)
      if (file.is_number_column(name, rows)) opened.columns.emplace(name, io::RowReader(file, name, cache));
    first_rows_.push_back(first_rows_.back() + rows);
    files_.push_back(std::move(opened));
  }
  if (files_.empty()) throw Error("no survey files are named");
  for (const auto& [name, reader] : files_[0].columns) {
    bool is_everywhere = true, is_integer = true;
    for (const File& file : files_) {
      const auto found = file.columns.find(name);
      is_everywhere = is_everywhere && found != file.columns.end();
      is_integer = is_integer && is_everywhere && found->second.dtype() == DType::i64;
    }
    if (is_everywhere) columns_.push_back({name, is_integer ? DType::i64 : DType::f64});
  }
}

IdKind SurveyFiles::id_kind(const std::string& name) const {
  const IdKind kind = files_[0].file.id_kind(name);
  for (const File& one : files_) {
    const int64_t rows[] = {one.images.shape()[0]};
    one.file.expect_shape(name, rows);
    if (one.file.id_kind(name) == kind) continue;
    throw Error(
        fmt::format("{}: dataset '{}' holds other identifiers than that of {}: all must be integers, all "
                    "unsigned integers, or all texts",
                    one.path, name, files_[0].path));
  }
  return kind;
}

std::string SurveyFiles::place_of(int64_t row) const {
  const auto next = std::ranges::upper_bound(first_rows_, row);
  const auto file = static_cast<size_t>(next - first_rows_.begin()) - 1;
  return fmt::format("{}: row {}", files_[file].path, row - first_rows_[file]);
}

bool SurveyFiles::has(const std::string& column) const {
  return std::ranges::find(columns_, column, &Column::name) != columns_.end();
}

template <class Read>
void SurveyFiles::by_file(std::span<const int64_t> rows, const Read& read) const {
  std::vector<int64_t> local;
  for (size_t i = 0; i < rows.size();) {
    if (rows[i] < 0 || rows[i] >= this->rows())
      throw Error(fmt::format("{} and {} other files have {} rows, row {} was asked for", files_[0].path,
                              files_.size() - 1, this->rows(), rows[i]));
    const auto next = std::ranges::upper_bound(first_rows_, rows[i]);
    const auto file = static_cast<size_t>(next - first_rows_.begin()) - 1;
    const size_t position = i;
    local.clear();
    for (; i < rows.size() && rows[i] >= first_rows_[file] && rows[i] < *next; ++i)
      local.push_back(rows[i] - first_rows_[file]);
    read(files_[file], local, static_cast<int64_t>(position));
  }
}

void SurveyFiles::read_images(std::span<const int64_t> rows, float* out) const {
  by_file(rows, [&](const File& file, std::span<const int64_t> local, int64_t position) {
    file.images.read(local, DType::f32, out + position * image_shape_.numel());
  });
}

void SurveyFiles::read_column(const std::string& name, std::span<const int64_t> rows, DType dtype, void* out) const {
  by_file(rows, [&](const File& file, std::span<const int64_t> local, int64_t position) {
    file.columns.at(name).read(local, dtype, static_cast<std::byte*>(out) + position * size_of(dtype));
  });
}

ObjectIds SurveyFiles::read_ids(const std::string& name, std::span<const int64_t> rows) const {
  ObjectIds ids;
  by_file(rows, [&](const File& file, std::span<const int64_t> local, int64_t) {
    const ObjectIds own = file.file.read_ids(name, local);
    ids.kind = own.kind;
    ids.keys.insert(ids.keys.end(), own.keys.begin(), own.keys.end());
    ids.texts.insert(ids.texts.end(), own.texts.begin(), own.texts.end());
  });
  return ids;
}

}  // namespace astroclip::data
