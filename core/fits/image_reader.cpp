#include "fits/image_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "data/survey.h"

namespace astroclip::fits {

namespace {

constexpr double arcsec_in_degree = 3600.0;
/// Images this much larger than the survey's are of fields, with no galaxy of their own in the middle.
constexpr double largest_image = 5.0 * static_cast<double>(data::image_side) * data::pixel_scale;
constexpr double least_margin = -0.01;  // pixels; for scales that are rounded in the header

/// Rows of a plane that are read once, as windows move up.
class RowBuffer {
 public:
  RowBuffer(const io::FitsFile& file, const ImagePlane& plane, int64_t x, int64_t width)
      : file_(file), plane_(plane), x_(x), width_(width) {}

  std::vector<double> read(const PixelWindow& window) {
    if (window.y < first_ || window.y >= first_ + std::ssize(rows_)) {
      rows_.clear();
      first_ = window.y;
    }
    for (; first_ < window.y; ++first_) rows_.pop_front();
    while (first_ + std::ssize(rows_) < window.y + window.height) read_more(window.y + window.height);
    std::vector<double> values;
    values.reserve(static_cast<size_t>(window.width * window.height));
    for (int64_t row = 0; row < window.height; ++row) {
      const auto begin = rows_[static_cast<size_t>(row)].begin() + (window.x - x_);
      values.insert(values.end(), begin, begin + window.width);
    }
    return values;
  }

 private:
  /// At least to the row `end`, and to the end of its tiles.
  void read_more(int64_t end) {
    const int64_t begin = first_ + std::ssize(rows_), tile = plane_.tile_height;
    const int64_t whole = std::min((end + tile - 1) / tile * tile, plane_.height);
    const std::vector<double> values = plane_.read(file_, {x_, begin, width_, whole - begin});
    for (int64_t row = 0; row < whole - begin; ++row) {
      rows_.emplace_back(values.begin() + row * width_, values.begin() + (row + 1) * width_);
    }
  }

  const io::FitsFile& file_;
  const ImagePlane& plane_;
  int64_t x_, width_, first_ = 0;
  std::deque<std::vector<double>> rows_;
};

}  // namespace

/// Planes of one part of the sky.
struct ImageReader::Field {
  std::vector<ImagePlane> images, companions;
  std::vector<std::string> left_out;
  SkyPosition centre, corner;

  explicit Field(std::vector<ImagePlane> planes) : images(std::move(planes)) {
    const ImagePlane& first = images.front();
    centre = first.wcs->position_of(
        {0.5 * static_cast<double>(first.width + 1), 0.5 * static_cast<double>(first.height + 1)});
    corner = first.wcs->position_of({1.0, 1.0});
  }
  const ImagePlane& first() const { return images.front(); }
  /// Of a pixel, in degrees.
  double scale() const {
    const Pixel middle{0.5 * static_cast<double>(first().width), 0.5 * static_cast<double>(first().height)};
    const SkyPosition from = first().wcs->position_of(middle);
    return std::sqrt(separation(from, first().wcs->position_of({middle.x + 1.0, middle.y})) *
                     separation(from, first().wcs->position_of({middle.x, middle.y + 1.0})));
  }
  /// Whether a plane lies on the same pixels.
  bool has_pixels_of(const ImagePlane& plane) const {
    if (plane.width != first().width || plane.height != first().height) return false;
    if (!plane.wcs) return plane.file == first().file;
    const double slack = 0.2 * scale();
    const Pixel middle{0.5 * static_cast<double>(plane.width + 1), 0.5 * static_cast<double>(plane.height + 1)};
    return separation(plane.wcs->position_of({1.0, 1.0}), corner) < slack &&
           separation(plane.wcs->position_of(middle), centre) < slack;
  }
  bool has_band(const std::string& band) const {
    return std::ranges::any_of(images, [&](const ImagePlane& plane) { return same_letters(plane.band, band); });
  }
  bool has_names() const { return !first().band.empty(); }
  std::set<std::string> files() const {
    std::set<std::string> all;
    for (const ImagePlane& plane : images) all.insert(plane.file);
    return all;
  }

  /// The planes of the bands that are wanted. Throws Error naming those that are missing.
  std::vector<const ImagePlane*> planes_of(const std::vector<std::string>& bands) const {
    std::vector<const ImagePlane*> planes;
    if (!has_names()) {
      if (images.size() != bands.size()) {
        throw Error(fmt::format("{}: no word names the bands of its {} planes (BANDS, BAND0 …), and {} are wanted: {}",
                                first().place, images.size(), bands.size(), fmt::join(bands, ", ")));
      }
      for (const ImagePlane& plane : images) planes.push_back(&plane);
      return planes;
    }
    std::vector<std::string> there, missing;
    for (const ImagePlane& plane : images) there.push_back(plane.band);
    for (const std::string& band : bands) {
      const auto found =
          std::ranges::find_if(images, [&](const auto& plane) { return same_letters(plane.band, band); });
      if (found == images.end()) {
        missing.push_back(band);
      } else {
        planes.push_back(&*found);
      }
    }
    if (!missing.empty()) {
      throw Error(fmt::format("has the band{} {} ({}); of {}, which are wanted, {} {} missing",
                              there.size() == 1 ? "" : "s", fmt::join(there, ", "), first().band_words,
                              fmt::join(bands, ", "), fmt::join(missing, ", "), missing.size() == 1 ? "is" : "are"));
    }
    return planes;
  }
};

namespace {

/// What a plane's values are multiplied by, and what they are of then.
std::pair<double, PixelValues> scaling_of(const ImageUnit& unit, const ImageOptions& options) {
  if (unit.of == ImageUnit::Of::square_arcsec) {
    return {unit.nanomaggies * data::pixel_scale * data::pixel_scale, PixelValues::mean_brightness};
  }
  const bool is_flux = unit.of == ImageUnit::Of::pixel;
  return {unit.nanomaggies, options.values.value_or(is_flux ? PixelValues::flux : PixelValues::brightness)};
}

/// Cuts images out of the planes of one field, of ascending places.
class Cutter {
 public:
  /// Of the columns [x, x + width).
  Cutter(std::vector<const ImagePlane*> planes, const std::vector<ImagePlane>& companions, const ImageOptions& options,
         int64_t x, int64_t width)
      : options_(options), planes_(std::move(planes)) {
    for (const ImagePlane* plane : planes_) {
      bands_.push_back({plane, RowBuffer(file(plane->file), *plane, x, width), {}});
      for (const ImagePlane& companion : companions) {
        if (companion.band.empty() || same_letters(companion.band, plane->band)) {
          bands_.back().companions.push_back({&companion, RowBuffer(file(companion.file), companion, x, width)});
        }
      }
    }
  }

  ObservedImage cut(const Sampling& sampling) {
    ObservedImage image;
    image.position = sampling.centre();
    for (size_t band = 0; band < bands_.size(); ++band) {
      const ImagePlane& plane = *bands_[band].plane;
      const PixelWindow window = sampling.window(plane.width, plane.height);
      std::vector<double> pixels = bands_[band].rows.read(window);
      const auto [factor, values] = scaling_of(plane.unit, options_);
      for (double& value : pixels) value *= factor;
      const std::vector<float> cut = sampling.apply(pixels, measured(bands_[band], window), window, values);
      check_band(cut, options_.bands[band]);
      image.planes.insert(image.planes.end(), cut.begin(), cut.end());
    }
    return image;
  }

  std::string note(const Sampling& sampling) const {
    std::vector<std::string> parts;
    const ImagePlane& first = *planes_.front();
    parts.push_back(first.band.empty()
                        ? fmt::format("planes without BANDS taken as {}", fmt::join(options_.bands, ", "))
                        : fmt::format("{} by {}", fmt::join(options_.bands, ", "), first.band_words));
    std::set<std::string> units;
    for (const ImagePlane* plane : planes_) units.insert(plane->unit.words);
    for (const std::string& words : units) parts.push_back(words.empty() ? "no unit, taken as nanomaggies" : words);
    const PixelValues values = scaling_of(first.unit, options_).second;
    parts.push_back(sampling.is_cut()
                        ? std::string("pixels as they are")
                        : fmt::format("{} {:.3f}\" pixels",
                                      values == PixelValues::flux         ? "flux kept from"
                                      : values == PixelValues::brightness ? "brightness interpolated between"
                                                                          : "brightness averaged over",
                                      sampling.source_scale()));
    std::set<std::string> obeyed;
    for (const Band& band : bands_) {
      for (const auto& [plane, rows] : band.companions) {
        obeyed.insert(plane->file == band.plane->file ? plane->place : fmt::format("{}", plane->file));
      }
    }
    if (!obeyed.empty()) parts.push_back(fmt::format("{} obeyed", fmt::join(obeyed, ", ")));
    return fmt::format("{}", fmt::join(parts, "; "));
  }

 private:
  struct Companion {
    const ImagePlane* plane;
    RowBuffer rows;
  };
  struct Band {
    const ImagePlane* plane;
    RowBuffer rows;
    std::vector<Companion> companions;
  };

  const io::FitsFile& file(const std::string& path) {
    const auto found = files_.find(path);
    return found != files_.end() ? found->second : files_.emplace(path, io::FitsFile::open(path)).first->second;
  }

  /// Empty: all.
  static std::vector<uint8_t> measured(Band& band, const PixelWindow& window) {
    if (band.companions.empty()) return {};
    std::vector<uint8_t> all(static_cast<size_t>(window.width * window.height), 1);
    for (Companion& companion : band.companions) {
      const std::vector<double> values = companion.rows.read(window);
      const bool is_mask = companion.plane->role == ImagePlane::Role::mask;
      for (size_t i = 0; i < values.size(); ++i) {
        const bool is_good =
            is_mask ? (static_cast<int64_t>(values[i]) & companion.plane->bad_bits) == 0 : values[i] > 0.0;
        if (!is_good) all[i] = 0;
      }
    }
    return all;
  }

  const ImageOptions& options_;
  std::vector<const ImagePlane*> planes_;
  std::map<std::string, io::FitsFile> files_;
  std::vector<Band> bands_;
};

std::string without_prefix(const std::string& text, const std::set<std::string>& files) {
  for (const std::string& file : files) {
    if (text.starts_with(file + ": ")) return text.substr(file.size() + 2);
  }
  return text;
}

}  // namespace

void ImageReader::add(ImagePlanes found) {
  std::vector<Field*> own;
  for (size_t begin = 0; begin < found.planes.size();) {
    size_t end = begin + 1;
    while (end < found.planes.size() && found.planes[end].hdu == found.planes[begin].hdu) ++end;
    std::vector<ImagePlane> planes(found.planes.begin() + static_cast<std::ptrdiff_t>(begin),
                                   found.planes.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
    if (planes[0].role != ImagePlane::Role::image) {
      companions_.insert(companions_.end(), planes.begin(), planes.end());
    } else {
      own.push_back(&take(std::move(planes)));
    }
  }
  if (!own.empty()) own[0]->left_out.insert(own[0]->left_out.end(), found.left_out.begin(), found.left_out.end());
}

/// Cubes are fields of their own; planes by themselves join those of other bands.
ImageReader::Field& ImageReader::take(std::vector<ImagePlane> planes) {
  const ImagePlane& first = planes.front();
  const bool is_single = planes.size() == 1 && !first.band.empty();
  const auto new_field = std::make_shared<Field>(planes);
  const auto key = [&](int64_t shift) {
    return std::tuple(first.width, first.height, std::llround(new_field->centre.dec * arcsec_in_degree) + shift);
  };
  for (int64_t shift = -1; is_single && shift <= 1; ++shift) {
    for (Field* field : singles_[key(shift)]) {
      if (field->has_band(first.band) || !field->has_pixels_of(first)) continue;
      field->images.push_back(first);
      return *field;
    }
  }
  fields_.push_back(new_field);
  if (is_single) singles_[key(0)].push_back(new_field.get());
  return *new_field;
}

/// Gives inverse variances and masks to the fields on whose pixels they lie: those of their own file, if there are any.
void ImageReader::join_companions() {
  for (ImagePlane& companion : companions_) {
    std::vector<Field*> of_file, others;
    for (const auto& field : fields_) {
      if (!field->has_pixels_of(companion)) continue;
      (field->files().contains(companion.file) ? of_file : others).push_back(field.get());
    }
    for (Field* field : of_file.empty() ? others : of_file) {
      // Planes without names are in the order of the image's.
      ImagePlane named = companion;
      if (named.band.empty() && named.planes > 1 && named.planes == field->first().planes) {
        for (const ImagePlane& image : field->images) {
          if (image.first == named.first) named.band = image.band;
        }
      }
      field->companions.push_back(std::move(named));
    }
  }
  companions_.clear();
}

void ImageReader::keep(ObservedImage image, std::vector<ObservedImage>& images) const {
  if (store_ != nullptr) {
    image.stored = store_->add(image.planes);
    image.planes = {};
  }
  images.push_back(std::move(image));
}

std::vector<ImagesOfFile> ImageReader::whole_images() {
  join_companions();
  std::vector<ImagesOfFile> all;
  for (const auto& field : fields_) {
    ImagesOfFile of{field->first().file, {}, {}, {}, {}};
    for (const std::string& other : field->files()) {
      if (other != of.file) of.others.push_back(other);
    }
    const ImagePlane& first = field->first();
    try {
      const double scale = field->scale() * arcsec_in_degree;
      if (static_cast<double>(std::min(first.width, first.height)) * scale > largest_image) {
        throw Error(
            fmt::format("{} x {} pixels of {:.3f}\" are a field, not an image of one galaxy: stamps are cut out "
                        "of it at the places of --at",
                        first.width, first.height, scale));
      }
      const Sampling sampling(*first.wcs, field->centre);
      if (sampling.margin(first.width, first.height) < least_margin) {
        throw Error(fmt::format("too small: {} x {} pixels of {:.3f}\" do not hold {} x {} pixels of {}\", north up",
                                first.width, first.height, scale, data::image_side, data::image_side,
                                data::pixel_scale));
      }
      const PixelWindow window = sampling.window(first.width, first.height);
      Cutter cutter(field->planes_of(options_.bands), field->companions, options_, window.x, window.width);
      keep(cutter.cut(sampling), of.images);
      of.notes.push_back(cutter.note(sampling));
      const std::set<std::string> left_out(field->left_out.begin(), field->left_out.end());
      if (!left_out.empty()) of.notes.push_back(fmt::format("left out: {}", fmt::join(left_out, ", ")));
    } catch (const Error& error) {
      of.refused.push_back(without_prefix(error.what(), field->files()));
    }
    all.push_back(std::move(of));
  }
  return all;
}

StampsAtPlaces ImageReader::stamps(const std::vector<SkyPosition>& places) {
  join_companions();
  StampsAtPlaces result;
  struct Stamp {
    int64_t place;
    Sampling sampling;
    PixelWindow window;
  };
  std::vector<std::vector<Stamp>> of_field(fields_.size());
  std::vector<bool> is_complete(fields_.size());
  for (size_t i = 0; i < fields_.size(); ++i) {
    const Field& field = *fields_[i];
    result.files.push_back({field.first().file, {}, {}, {}, {}});
    for (const std::string& other : field.files()) {
      if (other != field.first().file) result.files.back().others.push_back(other);
    }
    try {
      field.planes_of(options_.bands);
      is_complete[i] = true;
    } catch (const Error& error) {
      result.files[i].refused.push_back(error.what());
    }
  }
  for (size_t row = 0; row < places.size(); ++row) {
    const SkyPosition& place = places[row];
    if (!std::isfinite(place.ra) || !(std::abs(place.dec) <= 90.0)) {
      result.refused.emplace_back(row, "its position is not on the sky");
      continue;
    }
    // The field in which the place lies deepest.
    size_t best = fields_.size();
    double depth = 0.0;
    for (size_t i = 0; i < fields_.size(); ++i) {
      const Field& field = *fields_[i];
      if (!is_complete[i] || separation(place, field.centre) > separation(field.corner, field.centre)) continue;
      const Pixel pixel = field.first().wcs->pixel_of(place);
      const double edge =
          std::min({pixel.x - 0.5, pixel.y - 0.5, static_cast<double>(field.first().width) + 0.5 - pixel.x,
                    static_cast<double>(field.first().height) + 0.5 - pixel.y}) *
          separation(field.corner, field.centre) / static_cast<double>(field.first().width);
      if (edge > depth) {
        best = i;
        depth = edge;
      }
    }
    if (best == fields_.size()) {
      result.refused.emplace_back(row, "lies on none of the images");
      continue;
    }
    const ImagePlane& first = fields_[best]->first();
    Sampling sampling(*first.wcs, place);
    if (sampling.margin(first.width, first.height) < least_margin) {
      result.refused.emplace_back(row, "lies too near the edge of the images");
      continue;
    }
    const PixelWindow window = sampling.window(first.width, first.height);
    of_field[best].push_back({static_cast<int64_t>(row), std::move(sampling), window});
  }
  for (size_t i = 0; i < fields_.size(); ++i) {
    std::vector<Stamp>& stamps = of_field[i];
    if (stamps.empty()) continue;
    std::ranges::stable_sort(stamps, {}, [](const Stamp& stamp) { return stamp.window.y; });
    int64_t left = fields_[i]->first().width, right = 0;
    for (const Stamp& stamp : stamps) {
      left = std::min(left, stamp.window.x);
      right = std::max(right, stamp.window.x + stamp.window.width);
    }
    ImagesOfFile& of = result.files[i];
    try {
      Cutter cutter(fields_[i]->planes_of(options_.bands), fields_[i]->companions, options_, left, right - left);
      of.notes.push_back(cutter.note(stamps.front().sampling));
      for (const Stamp& stamp : stamps) {
        try {
          keep(cutter.cut(stamp.sampling), of.images);
          of.images.back().place = stamp.place;
        } catch (const Error& error) {
          result.refused.emplace_back(stamp.place, without_prefix(error.what(), {}));
        }
      }
    } catch (const Error& error) {
      of.refused.push_back(without_prefix(error.what(), fields_[i]->files()));
    }
    std::ranges::sort(of.images, {}, &ObservedImage::place);
  }
  std::ranges::sort(result.refused);
  return result;
}

}  // namespace astroclip::fits
