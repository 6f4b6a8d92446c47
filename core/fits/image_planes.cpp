#include "fits/image_planes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "data/band_names.h"

namespace astroclip::fits {

namespace {

enum class Content { image, inverse_variance, mask, other, unsaid };

Content content_of(const std::string& text) {
  static const std::vector<std::string> variances = {"invvar", "ivar", "weight", "weights", "wht", "wgt"};
  static const std::vector<std::string> masks = {"mask", "msk", "dq", "flags", "flag", "badpix", "bpm"};
  static const std::vector<std::string> images = {"image", "sci", "science", "flux", "data"};
  static const std::vector<std::string> others = {
      "var",          "variance", "err",      "error",     "uncert", "sigma",    "rms",      "std",
      "psf",          "exp",      "exptime",  "exposure",  "nexp",   "depth",    "galdepth", "psfdepth",
      "psfsize",      "chi2",     "model",    "blobmodel", "resid",  "residual", "bkg",      "background",
      "sky",          "con",      "ctx",      "coverage",  "cov",    "seg",      "segm",     "segmap",
      "segmentation", "area",     "maskbits", "wisem1",    "wisem2"};
  for (const std::string& word : data::lower_words(text)) {
    const auto is_of = [&](const std::vector<std::string>& words) {
      return std::ranges::find(words, word) != words.end();
    };
    if (is_of(variances)) return Content::inverse_variance;
    if (is_of(masks)) return Content::mask;
    if (is_of(others)) return Content::other;
    if (is_of(images)) return Content::image;
  }
  return Content::unsaid;
}

/// The axes that are planes and bands; the others have one pixel.
struct Layout {
  int64_t bands = 1;
  std::optional<size_t> band_axis;
  size_t y_axis = 0, x_axis = 0;
};

constexpr int64_t smallest_image = 17;  // more than a survey has bands

std::optional<Layout> layout_of(const io::FitsHdu& hdu) {
  if (hdu.is_table) return std::nullopt;
  std::vector<size_t> axes;
  for (size_t axis = 0; axis < static_cast<size_t>(hdu.shape.rank()); ++axis) {
    if (hdu.shape[static_cast<int>(axis)] != 1) axes.push_back(axis);
  }
  if (axes.size() < 2 || axes.size() > 3) return std::nullopt;
  const auto extent = [&](size_t i) { return hdu.shape[static_cast<int>(axes[i])]; };
  const auto is_large = [&](size_t i) { return extent(i) >= smallest_image; };
  if (axes.size() == 2) {
    if (!is_large(0) || !is_large(1)) return std::nullopt;
    return Layout{1, {}, axes[0], axes[1]};
  }
  if (is_large(1) && is_large(2)) return Layout{extent(0), axes[0], axes[1], axes[2]};
  if (is_large(0) && is_large(1)) return Layout{extent(2), axes[2], axes[0], axes[1]};
  return std::nullopt;
}

std::string place_of(const io::FitsFile& file, const io::FitsHdu& hdu) {
  const auto number = &hdu - file.hdus().data() + 1;
  const auto same = std::ranges::count(file.hdus(), hdu.name, &io::FitsHdu::name);
  const bool has_name = !hdu.name.empty() && !hdu.name.starts_with("HDU ") && hdu.name != "COMPRESSED_IMAGE";
  return has_name && same == 1 ? fmt::format("HDU '{}'", hdu.name) : fmt::format("HDU {}", number);
}

/// An HDU's keywords, and those of a primary HDU without data, which are of all.
Header header_of(const io::FitsFile& file, const io::FitsHdu& hdu) {
  const io::FitsHdu& primary = file.hdus().front();
  std::string cards = file.header(hdu);
  if (&hdu != &primary && primary.shape.rank() == 0) cards += file.header(primary);
  return Header(std::move(cards));
}

struct Bands {
  std::vector<std::string> names;
  std::string words;
};

/// By BANDS or BANDn; none where there are neither.
Bands bands_by_keywords(const Header& header, int64_t planes) {
  Bands found;
  if (const auto text = header.text("BANDS"); text && !text->empty()) found = {data::bands_of(*text), "BANDS"};
  if (!found.names.empty() && std::ssize(found.names) != planes) {
    throw Error(
        fmt::format("BANDS = '{}' names {} bands for {} planes", *header.text("BANDS"), found.names.size(), planes));
  }
  const int64_t first = header.text("BAND0") ? 0 : 1;
  Bands numbered{{}, "BANDn"};
  for (int64_t plane = 0; plane < planes; ++plane) {
    const auto text = header.text(fmt::format("BAND{}", first + plane));
    if (text && !text->empty()) numbered.names.push_back(data::band_of(*text));
  }
  if (numbered.names.empty()) return found;
  if (std::ssize(numbered.names) != planes || header.text(fmt::format("BAND{}", first + planes))) {
    throw Error(fmt::format("BAND{}, BAND{} … do not name {} planes", first, first + 1, planes));
  }
  if (!found.names.empty() && found.names != numbered.names) {
    throw Error(fmt::format("BANDS = '{}' and BANDn = {} contradict each other", *header.text("BANDS"),
                            fmt::join(numbered.names, ", ")));
  }
  return found.names.empty() ? numbered : found;
}

/// Of a plane by itself.
Bands band_by_words(const Header& header, const std::string& name, const std::string& file) {
  Bands found;
  for (const char* key : {"BAND", "FILTER"}) {
    const auto text = header.text(key);
    const std::string band = text ? data::band_of(*text) : "";
    if (band.empty()) continue;
    if (!found.names.empty() && found.names[0] != band) {
      throw Error(fmt::format("BAND = '{}' and FILTER = '{}' contradict each other", *header.text("BAND"), *text));
    }
    found = {{band}, key};
  }
  if (!found.names.empty()) return found;
  if (const std::string band = data::band_in_name(name); !band.empty()) return {{band}, "EXTNAME"};
  const std::string band = data::band_in_name(std::filesystem::path(file).filename().string());
  return band.empty() ? found : Bands{{band}, "the file's name"};
}

/// Of the planes of LSST and HSC masks, which MP_NAME numbers, those that say that a pixel was not measured.
int64_t bad_bits_of(const Header& header) {
  int64_t bits = 0;
  bool is_numbered = false;
  for (const char* key : {"MP_BAD", "MP_SAT", "MP_NO_DATA", "MP_UNMASKEDNAN"}) {
    const auto bit = header.number(key);
    if (!bit || *bit < 0.0 || *bit > 62.0) continue;
    is_numbered = true;
    bits |= int64_t{1} << static_cast<int64_t>(*bit);
  }
  return is_numbered ? bits : -1;
}

class FileReader {
 public:
  explicit FileReader(const io::FitsFile& file) : file_(file) {
    const auto is_cube = [](const io::FitsHdu& hdu) {
      const auto layout = layout_of(hdu);
      return layout && layout->bands > 1;
    };
    has_cube_ = std::ranges::any_of(file.hdus(), is_cube);
  }

  ImagePlanes read() {
    for (const io::FitsHdu& hdu : file_.hdus()) {
      const auto layout = layout_of(hdu);
      if (!layout) continue;
      try {
        add(hdu, *layout);
      } catch (const Error& error) {
        throw Error(fmt::format("{}: {}", place_of(file_, hdu), error.what()));
      }
    }
    leave_out_doubles();
    return std::move(found_);
  }

 private:
  Content content(const io::FitsHdu& hdu, const Header& header) const {
    const bool is_named = hdu.name != "PRIMARY" && hdu.name != "COMPRESSED_IMAGE";
    Content content = is_named ? content_of(hdu.name) : Content::unsaid;
    for (const char* key : {"IMTYPE", "IMAGETYP"}) {
      if (content == Content::unsaid) content = content_of(header.text(key).value_or(""));
    }
    const std::string file = std::filesystem::path(file_.path()).filename().string();
    return content == Content::unsaid && file.starts_with("legacysurvey-") ? content_of(file) : content;
  }

  void add(const io::FitsHdu& hdu, const Layout& layout) {
    const Header header = header_of(file_, hdu);
    const Content content = this->content(hdu, header);
    const std::string place = place_of(file_, hdu);
    if (content == Content::other) return found_.left_out.push_back(place);
    if (layout.bands > most_bands) {
      throw Error(fmt::format("expected an image of at most {} bands, found {}", most_bands, hdu.shape.str()));
    }
    Bands bands = bands_by_keywords(header, layout.bands);
    if (bands.names.empty() && layout.bands == 1) bands = band_by_words(header, hdu.name, file_.path());
    const bool is_companion = content == Content::inverse_variance || content == Content::mask;
    if (bands.names.empty() && layout.bands == 1 && has_cube_ && !is_companion) {
      return found_.left_out.push_back(place);
    }
    if (content == Content::image) called_images_.insert(static_cast<size_t>(&hdu - file_.hdus().data()));
    ImagePlane plane;
    plane.file = file_.path();
    plane.hdu = static_cast<size_t>(&hdu - file_.hdus().data());
    plane.place = place;
    plane.role = content == Content::mask               ? ImagePlane::Role::mask
                 : content == Content::inverse_variance ? ImagePlane::Role::inverse_variance
                                                        : ImagePlane::Role::image;
    plane.band_words = bands.words;
    plane.height = hdu.shape[static_cast<int>(layout.y_axis)];
    plane.width = hdu.shape[static_cast<int>(layout.x_axis)];
    plane.planes = layout.bands;
    plane.x_axis = layout.x_axis;
    plane.y_axis = layout.y_axis;
    plane.first.assign(static_cast<size_t>(hdu.shape.rank()), 0);
    plane.tile_height = layout.band_axis && *layout.band_axis > layout.x_axis ? 1 : file_.tile_height(hdu);
    plane.wcs = wcs_of(file_.header(hdu), hdu, layout, is_companion);
    if (!is_companion) plane.unit = image_unit(header);
    if (content == Content::mask) plane.bad_bits = bad_bits_of(header);
    for (int64_t band = 0; band < layout.bands; ++band) {
      plane.band = bands.names.empty() ? "" : bands.names[static_cast<size_t>(band)];
      if (layout.band_axis) plane.first[*layout.band_axis] = band;
      found_.planes.push_back(plane);
    }
  }

  /// Of several cubes those that a word calls an image are taken; where two are of one place, nothing tells which is.
  void leave_out_doubles() {
    const auto is_cube = [](const ImagePlane& plane) {
      return plane.role == ImagePlane::Role::image && plane.planes > 1;
    };
    const bool has_called = std::ranges::any_of(
        found_.planes, [&](const ImagePlane& plane) { return is_cube(plane) && called_images_.contains(plane.hdu); });
    if (has_called) {
      std::erase_if(found_.planes, [&](const ImagePlane& plane) {
        const bool is_left_out = is_cube(plane) && !called_images_.contains(plane.hdu);
        if (is_left_out && (found_.left_out.empty() || found_.left_out.back() != plane.place)) {
          found_.left_out.push_back(plane.place);
        }
        return is_left_out;
      });
    }
    for (const ImagePlane& one : found_.planes) {
      for (const ImagePlane& other : found_.planes) {
        if (!is_cube(one) || !is_cube(other) || one.hdu >= other.hdu) continue;
        if (separation(one.wcs->position_of({1, 1}), other.wcs->position_of({1, 1})) > 1.0 / 3600.0) continue;
        throw Error(fmt::format("{} and {} are images of one place, and no EXTNAME tells which is the image", one.place,
                                other.place));
      }
    }
  }

  /// FITS counts axes from the fastest. Where bands are the fastest, the place on the sky may be of the axes that
  /// follow, or of the first two, as the planes had them before their axes were moved.
  static std::optional<Wcs> wcs_of(const std::string& cards, const io::FitsHdu& hdu, const Layout& layout,
                                   bool is_companion) {
    const int first = hdu.shape.rank() - static_cast<int>(layout.x_axis);
    const bool is_moved = first > 1 && !Header(cards).text(fmt::format("CTYPE{}", first + 1));
    try {
      return Wcs::from_header(cards, is_moved ? 1 : first);
    } catch (const Error&) {
      if (is_companion) return std::nullopt;
      throw;
    }
  }

  const io::FitsFile& file_;
  bool has_cube_ = false;
  std::set<size_t> called_images_;  ///< HDUs
  ImagePlanes found_;
};

}  // namespace

std::vector<double> ImagePlane::read(const io::FitsFile& from, const PixelWindow& window) const {
  std::vector<int64_t> begin = first, extent(first.size(), 1);
  begin[x_axis] = window.x;
  begin[y_axis] = window.y;
  extent[x_axis] = window.width;
  extent[y_axis] = window.height;
  return from.section(from.hdus().at(hdu), begin, extent);
}

bool has_image(const io::FitsFile& file) {
  return std::ranges::any_of(file.hdus(), [](const io::FitsHdu& hdu) { return layout_of(hdu).has_value(); });
}

ImagePlanes image_planes(const io::FitsFile& file) { return FileReader(file).read(); }

}  // namespace astroclip::fits
