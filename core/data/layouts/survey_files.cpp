#include "data/layouts/survey_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <numeric>

#include "base/error.h"
#include "data/band_names.h"
#include "data/gaps.h"
#include "data/survey.h"

namespace astroclip::data {

namespace {

std::vector<int64_t> all_of(int64_t rows) {
  std::vector<int64_t> all(static_cast<size_t>(rows));
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

/// The first and the last row, which stand for the others.
std::vector<int64_t> ends_of(int64_t rows) {
  return rows == 0 ? std::vector<int64_t>() : std::vector<int64_t>{0, rows - 1};
}

/// The numbers of some of a dataset's rows.
std::vector<double> numbers_of(const io::Hdf5File& file, const std::string& name, int64_t rows,
                               const std::vector<int64_t>& which) {
  const Shape shape = file.shape(name);
  if (shape.rank() == 0 || shape[0] != rows) {
    throw Error(
        fmt::format("{}: dataset '{}' has the shape {}; expected {} rows", file.path(), name, shape.str(), rows));
  }
  std::vector<double> values(which.size() * static_cast<size_t>(shape.with(0, 1).numel()));
  file.read_rows(name, which, DType::f64, values.data());
  return values;
}

constexpr const char* image_names[] = {"images", "image_array", "image_flux"};

}  // namespace

/// By row: −1 where it is not known yet.
struct SurveyFiles::Observed {
  std::mutex mutex;
  std::vector<int8_t> rows;
};

std::string survey_layout(const std::string& path) {
  const io::Hdf5File file = io::Hdf5File::open(path);
  const auto datasets = file.datasets("");
  const auto has = [&](const char* name) { return std::ranges::find(datasets, name) != datasets.end(); };
  if (has("images")) {
    const Shape shape = file.shape("images");
    if (shape.rank() == 4 && shape[2] == survey_image_side && shape[3] == survey_image_side) return "images";
  }
  for (const char* name : {"image_array", "image_flux", "spectrum_flux"}) {
    if (has(name)) return name;
  }
  return "";
}

SurveyFiles::SurveyFiles(const std::vector<std::string>& paths, int64_t cache_bytes) {
  const auto cache = std::make_shared<io::BlockCache>(cache_bytes);
  for (const std::string& path : paths) {
    const io::Hdf5File file = io::Hdf5File::open(path);
    files_.push_back({path, file, 0, file.datasets(""), {}, {}, {}, {}, {}, {}, {}, {}});
    File& opened = files_.back();
    const auto has = [&](const std::string& name) {
      return std::ranges::find(opened.names, name) != opened.names.end();
    };
    if (files_.size() == 1) {
      const auto* name = std::ranges::find_if(image_names, has);
      image_name_ = name != std::end(image_names) ? *name : has("spectrum_flux") ? "" : "images";
    }
    if (has_images())
      open_images(opened, cache);
    else
      open_spectra(opened, cache);
    for (const auto& name : opened.names) {
      const auto kind = file.column_of(name, opened.rows);
      if (kind == io::Hdf5File::Column::numbers) opened.columns.emplace(name, io::RowReader(file, name, cache));
      if (kind == io::Hdf5File::Column::texts) opened.texts.push_back(name);
    }
    first_rows_.push_back(first_rows_.back() + opened.rows);
  }
  if (files_.empty()) throw Error("no survey files are named");
  observed_ = std::make_shared<Observed>();
  observed_->rows.assign(static_cast<size_t>(rows()), int8_t{-1});
  for (const auto& [name, reader] : files_[0].columns) {
    bool is_everywhere = true, is_integer = true;
    for (const File& file : files_) {
      const auto found = file.columns.find(name);
      is_everywhere = is_everywhere && found != file.columns.end();
      is_integer = is_integer && is_everywhere && found->second.dtype() == DType::i64;
    }
    if (is_everywhere) columns_.push_back({name, is_integer ? DType::i64 : DType::f64});
  }
  for (const std::string& name : files_[0].texts) {
    const auto has = [&](const File& file) { return std::ranges::find(file.texts, name) != file.texts.end(); };
    if (std::ranges::all_of(files_, has)) text_columns_.push_back(name);
  }
}

void SurveyFiles::open_images(File& file, const std::shared_ptr<io::BlockCache>& cache) {
  const bool is_survey = image_name_ == "images", is_first = files_.size() == 1;
  const int64_t bands = is_first ? -1 : stored_[0], side = is_survey ? survey_image_side : -1;
  const Shape images = file.file.expect_shape(image_name_, std::array{int64_t{-1}, bands, side, side});
  file.rows = images[0];
  const Shape stored = {images[1], images[2], images[3]};
  if (!is_first && stored != stored_) {
    throw Error(fmt::format("{}: dataset '{}' has images of {}, those of {} are {}", file.path, image_name_,
                            stored.str(), files_[0].path, stored_.str()));
  }
  stored_ = stored;
  if (std::min(stored[1], stored[2]) < survey_image_side) {
    throw Error(fmt::format("{}: dataset '{}' has images of {}; at least {} x {} pixels are needed", file.path,
                            image_name_, stored.str(), survey_image_side, survey_image_side));
  }
  file.images.emplace(file.file, image_name_, cache);
  if (is_survey && file.images->dtype() != DType::f32)
    throw Error(fmt::format("{}: dataset 'images' holds {}, expected f32", file.path, name_of(file.images->dtype())));
  if (is_first) measurements_ = {image_name_, "image_band", "image_scale"};
  if (is_survey) {
    planes_.clear();
    for (int64_t plane = 0; plane < stored[0]; ++plane) planes_.push_back(plane);
  } else {
    choose_bands(file);
    open_masks(file, cache);
  }
  image_shape_ = {std::ssize(planes_), survey_image_side, survey_image_side};
}

void SurveyFiles::choose_bands(const File& file) {
  const auto has = [&](const char* name) { return std::ranges::find(file.names, name) != file.names.end(); };
  for (const char* needed : {"image_band", "image_scale"}) {
    if (!has(needed))
      throw Error(fmt::format("{}: has 'image_array', but no '{}', which says what it is", file.path, needed));
  }
  constexpr double tolerance = 0.001;  // seconds of arc
  for (const double scale : numbers_of(file.file, "image_scale", file.rows, all_of(file.rows))) {
    if (std::abs(scale - pixel_scale) <= tolerance) continue;
    throw Error(
        fmt::format("{}: its pixels are of {:.4g}\" ('image_scale'), the layout's of {}\"; write the images as FITS "
                    "files, which import resamples",
                    file.path, scale, pixel_scale));
  }
  const int64_t any_bands[] = {file.rows, stored_[0]};
  file.file.expect_shape("image_band", any_bands);
  std::vector<std::string> names;
  for (const std::string& name : file.file.read_texts("image_band", all_of(file.rows))) names.push_back(band_of(name));
  const auto bands = static_cast<size_t>(stored_[0]);
  if (names.empty()) names.resize(bands);
  for (size_t i = bands; i < names.size(); ++i) {
    if (names[i] == names[i % bands]) continue;
    throw Error(fmt::format("{}: its objects differ in 'image_band': plane {} is '{}' in row 0 and '{}' in row {}",
                            file.path, i % bands, names[i % bands], names[i], i / bands));
  }
  names.resize(bands);
  std::vector<int64_t> planes;
  for (const char letter : published_bands) {
    const auto found = std::ranges::find(names, std::string(1, letter));
    if (found != names.end()) planes.push_back(found - names.begin());
  }
  if (planes.size() < published_bands.size()) {
    planes.resize(bands);
    std::iota(planes.begin(), planes.end(), int64_t{0});
  }
  std::vector<std::string> taken, left_out;
  for (const int64_t plane : planes) taken.push_back(names[static_cast<size_t>(plane)]);
  for (const std::string& name : names) {
    if (std::ranges::find(taken, name) == taken.end()) left_out.push_back(name);
  }
  const bool are_letters = std::ranges::all_of(taken, [](const std::string& name) { return name.size() == 1; });
  const std::string all = fmt::format("{}", fmt::join(taken, are_letters ? "" : ","));
  if (files_.size() > 1 && (all != bands_ || planes != planes_))
    throw Error(fmt::format("{}: has the bands {}, {} has others", file.path, fmt::join(names, ", "), files_[0].path));
  planes_ = planes;
  bands_ = all;
  bands_left_out_ = fmt::format("{}", fmt::join(left_out, ", "));
}

void SurveyFiles::open_masks(File& file, const std::shared_ptr<io::BlockCache>& cache) {
  const Shape of_bands = {file.rows, stored_[0], stored_[1], stored_[2]}, of_all = {file.rows, stored_[1], stored_[2]};
  for (const auto& [name, reader] : {std::pair("image_mask", &file.image_mask), {"image_ivar", &file.image_ivar}}) {
    if (std::ranges::find(file.names, name) == file.names.end()) continue;
    const Shape shape = file.file.shape(name);
    if (shape != of_bands && shape != of_all) {
      throw Error(fmt::format("{}: dataset '{}' has the shape {}, expected {} or {}", file.path, name, shape.str(),
                              of_bands.str(), of_all.str()));
    }
    reader->emplace(file.file, name, cache);
    if (files_.size() == 1) measurements_.emplace_back(name);
  }
  if (file.image_mask.has_value() != files_[0].image_mask.has_value() ||
      file.image_ivar.has_value() != files_[0].image_ivar.has_value())
    throw Error(fmt::format("{}: has not the same of 'image_mask' and 'image_ivar' as {}", file.path, files_[0].path));
}

void SurveyFiles::open_spectra(File& file, const std::shared_ptr<io::BlockCache>& cache) {
  const auto has = [&](const char* name) { return std::ranges::find(file.names, name) != file.names.end(); };
  const int64_t any[] = {-1, survey_spectrum_pixels};
  file.rows = file.file.expect_shape("spectrum_flux", any)[0];
  const int64_t same[] = {file.rows, survey_spectrum_pixels};
  measurements_ = {"spectrum_flux"};
  file.flux.emplace(file.file, "spectrum_flux", cache);
  for (const auto& [name, reader] : {std::pair("spectrum_ivar", &file.ivar), {"spectrum_mask", &file.mask}}) {
    if (!has(name)) continue;
    file.file.expect_shape(name, same);
    reader->emplace(file.file, name, cache);
    measurements_.emplace_back(name);
  }
  if (file.ivar.has_value() != files_[0].ivar.has_value() || file.mask.has_value() != files_[0].mask.has_value())
    throw Error(
        fmt::format("{}: has not the same of 'spectrum_ivar' and 'spectrum_mask' as {}", file.path, files_[0].path));
  constexpr double tolerance = 0.05;  // Å, of float32
  const auto check = [&](double found, int64_t pixel) {
    if (std::abs(found - wavelength_of(pixel)) <= tolerance) return;
    throw Error(fmt::format("{}: pixel {} of its spectra is at {:.2f} Å; on DESI's grid it is at {:.2f} Å", file.path,
                            pixel, found, wavelength_of(pixel)));
  };
  if (has("spectrum_lambda")) {
    measurements_.emplace_back("spectrum_lambda");
    file.file.expect_shape("spectrum_lambda", same);
    const std::vector<double> waves = numbers_of(file.file, "spectrum_lambda", file.rows, ends_of(file.rows));
    for (size_t i = 0; i < waves.size(); ++i) check(waves[i], static_cast<int64_t>(i) % survey_spectrum_pixels);
  } else if (has("spectrum_lambda_min") && has("spectrum_lambda_max")) {
    for (const double first : numbers_of(file.file, "spectrum_lambda_min", file.rows, all_of(file.rows)))
      check(first, 0);
    for (const double last : numbers_of(file.file, "spectrum_lambda_max", file.rows, all_of(file.rows)))
      check(last, survey_spectrum_pixels - 1);
  } else {
    throw Error(
        fmt::format("{}: has 'spectrum_flux', but no 'spectrum_lambda', which says at what wavelengths", file.path));
  }
}

IdKind SurveyFiles::id_kind(const std::string& name) const {
  const IdKind kind = files_[0].file.id_kind(name);
  for (const File& one : files_) {
    const int64_t rows[] = {one.rows};
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

template <class T>
std::vector<T> SurveyFiles::taken_of(const std::vector<T>& images, int64_t planes) const {
  const int64_t height = stored_[1], width = stored_[2];
  const int64_t top = (height - survey_image_side) / 2, left = (width - survey_image_side) / 2;
  const int64_t count = std::ssize(images) / (planes * height * width);
  std::vector<T> taken;
  taken.reserve(static_cast<size_t>(count * image_shape_.numel()));
  for (int64_t i = 0; i < count; ++i) {
    for (const int64_t plane : planes_) {
      const auto from = images.begin() + ((i * planes + (planes == 1 ? 0 : plane)) * height + top) * width + left;
      for (int64_t y = 0; y < survey_image_side; ++y)
        taken.insert(taken.end(), from + y * width, from + y * width + survey_image_side);
    }
  }
  return taken;
}

std::vector<bool> SurveyFiles::measured(const File& file, std::span<const int64_t> rows) const {
  std::vector<bool> all(rows.size() * static_cast<size_t>(image_shape_.numel()), true);
  const auto obey = [&]<class T>(const std::optional<io::RowReader>& reader, const T&) {
    if (!reader) return;
    std::vector<T> values(rows.size() * static_cast<size_t>(reader->shape().with(0, 1).numel()));
    reader->read(rows, dtype_of<T>, values.data());
    values = taken_of(values, reader->shape().rank() == stored_.rank() ? 1 : stored_[0]);
    for (size_t i = 0; i < values.size(); ++i) {
      const bool is_good = std::is_integral_v<T> ? values[i] != T{0} : values[i] > T{0};
      if (!is_good) all[i] = false;
    }
  };
  obey(file.image_mask, int64_t{});
  obey(file.image_ivar, float{});
  return all;
}

void SurveyFiles::read_images(std::span<const int64_t> rows, float* out) const {
  const bool is_whole = stored_ == image_shape_;
  std::vector<float> stored;
  by_file(rows, [&](const File& file, std::span<const int64_t> local, int64_t position) {
    float* to = out + position * image_shape_.numel();
    if (is_whole) {
      file.images->read(local, DType::f32, to);
    } else {
      stored.resize(local.size() * static_cast<size_t>(stored_.numel()));
      file.images->read(local, DType::f32, stored.data());
      std::ranges::copy(taken_of(stored, stored_[0]), to);
    }
    if (!has_masks()) return;
    const std::vector<bool> good = measured(file, local);
    for (size_t i = 0; i < good.size(); ++i) {
      if (!good[i]) to[i] = 0.0F;
    }
  });
}

void SurveyFiles::read_observed(std::span<const int64_t> rows, double* out) const {
  constexpr size_t at_once = 64;
  const auto pixels = static_cast<std::ptrdiff_t>(survey_image_side * survey_image_side);
  const auto most = static_cast<int64_t>(zero_share_limit * static_cast<double>(pixels));
  const std::scoped_lock lock(observed_->mutex);
  std::vector<int64_t> unknown;
  for (const int64_t row : rows) {
    if (observed_->rows.at(static_cast<size_t>(row)) < 0) unknown.push_back(row);
  }
  for (size_t begin = 0; begin < unknown.size(); begin += at_once) {
    const auto some = std::span(unknown).subspan(begin, std::min(at_once, unknown.size() - begin));
    by_file(some, [&](const File& file, std::span<const int64_t> local, int64_t position) {
      const std::vector<bool> good = measured(file, local);
      for (size_t i = 0; i < local.size(); ++i) {
        bool is_observed = true;
        for (int64_t band = 0; band < image_shape_[0]; ++band) {
          const auto first = good.begin() + (static_cast<int64_t>(i) * image_shape_[0] + band) * pixels;
          is_observed = is_observed && std::count(first, first + pixels, false) <= most;
        }
        observed_->rows[static_cast<size_t>(some[static_cast<size_t>(position) + i])] = is_observed ? 1 : 0;
      }
    });
  }
  for (size_t i = 0; i < rows.size(); ++i) out[i] = observed_->rows[static_cast<size_t>(rows[i])];
}

void SurveyFiles::read_spectra(std::span<const int64_t> rows, float* flux, float* ivar) const {
  std::vector<float> fluxes, ivars;
  std::vector<int64_t> masks;
  by_file(rows, [&](const File& file, std::span<const int64_t> local, int64_t position) {
    const size_t count = local.size() * static_cast<size_t>(survey_spectrum_pixels);
    fluxes.resize(count);
    file.flux->read(local, DType::f32, fluxes.data());
    ivars.assign(count, 1.0F);
    masks.assign(count, 0);
    if (file.ivar) file.ivar->read(local, DType::f32, ivars.data());
    if (file.mask) file.mask->read(local, DType::i64, masks.data());
    for (size_t i = 0; i < count; ++i) {
      const bool is_measured = masks[i] == 0 && ivars[i] > 0.0F && std::isfinite(ivars[i]) && std::isfinite(fluxes[i]);
      if (!is_measured) ivars[i] = 0.0F;
    }
    const int64_t begin = position * survey_spectrum_pixels;
    if (ivar != nullptr) std::ranges::copy(ivars, ivar + begin);
    if (flux == nullptr) return;
    for (size_t row = 0; row < local.size(); ++row) {
      const size_t first = row * static_cast<size_t>(survey_spectrum_pixels);
      fill_gaps(std::span(fluxes).subspan(first, survey_spectrum_pixels),
                std::span(ivars).subspan(first, survey_spectrum_pixels));
    }
    std::ranges::copy(fluxes, flux + begin);
  });
}

void SurveyFiles::read_column(const std::string& name, std::span<const int64_t> rows, DType dtype, void* out) const {
  by_file(rows, [&](const File& file, std::span<const int64_t> local, int64_t position) {
    file.columns.at(name).read(local, dtype, static_cast<std::byte*>(out) + position * size_of(dtype));
  });
}

std::vector<std::string> SurveyFiles::read_texts(const std::string& name, std::span<const int64_t> rows) const {
  std::vector<std::string> texts;
  by_file(rows, [&](const File& file, std::span<const int64_t> local, int64_t) {
    const std::vector<std::string> own = file.file.read_texts(name, local);
    texts.insert(texts.end(), own.begin(), own.end());
  });
  return texts;
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
