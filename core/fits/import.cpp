#include "fits/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "data/layouts/paired_file.h"
#include "data/survey.h"
#include "fits/places.h"

namespace astroclip::fits {

namespace {

constexpr double arcsec_per_degree = 3600.0;
constexpr int64_t none = -1;

/// A row to write: an image, a spectrum or both, by their numbers.
struct Object {
  int64_t image = none, spectrum = none;
  int64_t id = 0;
};

class Importer {
 public:
  explicit Importer(const ImportRequest& request) : request_(request), image_reader_(request.images) {}

  ImportReport run() {
    for (const std::string& file : request_.files) add(read_observations(file));
    read_images();
    join_redshifts();
    pair_as_named();
    pair_by_position();
    collect();
    number();
    report_.objects = static_cast<int64_t>(objects_.size());
    report_.images = static_cast<int64_t>(images_.size());
    report_.spectra = static_cast<int64_t>(spectra_.size());
    if (!objects_.empty()) {
      split();
      write();
    }
    return std::move(report_);
  }

 private:
  template <class T>
  struct From {
    std::string file;
    T what;
    int64_t partner = none;
  };

  void add(Observations found) {
    ImportedFile entry{found.file, found.kind, 0, std::move(found.refused), std::move(found.notes), {}};
    for (ObservedSpectrum& one : found.spectra) {
      const auto number = number_of(one.id);
      if (number && !ids_.insert(*number).second) {
        entry.refused.push_back({one.row, fmt::format("object {} was taken already", *number)});
        continue;
      }
      spectra_.push_back({found.file, std::move(one)});
      ++entry.taken;
    }
    image_reader_.add(std::move(found.images));
    for (const FittedRedshift& one : found.redshifts) redshifts_[one.id] = one;
    entry.taken += std::ssize(found.redshifts);
    report_.files.push_back(std::move(entry));
  }

  static std::optional<int64_t> number_of(const std::optional<ObjectId>& id) {
    int64_t number = 0;
    if (!id) return {};
    const char* end = id->value.data() + id->value.size();
    const auto read = std::from_chars(id->value.data(), end, number);
    return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
  }

  void read_images() {
    if (request_.at.empty()) return take(image_reader_.whole_images());
    const Places places = read_places(request_.at);
    StampsAtPlaces stamps = image_reader_.stamps(places.positions);
    ImportedFile entry{request_.at, "places", 0, {}, {}, {}};
    for (const auto& [row, reason] : stamps.refused) entry.refused.push_back({row, reason});
    entry.taken = std::ssize(places.positions) - std::ssize(stamps.refused);
    report_.files.push_back(std::move(entry));
    take(std::move(stamps.files));
  }

  void take(std::vector<ImagesOfFile> all) {
    for (ImagesOfFile& of : all) {
      ImportedFile& entry = *std::ranges::find(report_.files, of.file, &ImportedFile::file);
      for (const std::string& reason : of.refused) entry.refused.push_back({{}, reason});
      entry.notes.insert(entry.notes.end(), of.notes.begin(), of.notes.end());
      entry.taken += std::ssize(of.images);
      for (const std::string& other : of.others) {
        std::ranges::find(report_.files, other, &ImportedFile::file)->notes.push_back("joined with " + of.file);
      }
      for (ObservedImage& image : of.images) images_.push_back({of.file, std::move(image)});
    }
  }

  void join_redshifts() {
    for (auto& [file, one, partner] : spectra_) {
      const auto fitted = one.id ? redshifts_.find(*one.id) : redshifts_.end();
      if (fitted != redshifts_.end()) {
        one.redshift = fitted->second.redshift;
        one.redshift_warning = fitted->second.warning;
      }
      report_.redshifts += std::isfinite(one.redshift) ? 1 : 0;
    }
  }

  void pair(int64_t image, int64_t spectrum) {
    images_[static_cast<size_t>(image)].partner = spectrum;
    spectra_[static_cast<size_t>(spectrum)].partner = image;
  }

  /// The one image or spectrum of a file (or of its row) that --pair names.
  template <class T>
  int64_t named(const std::vector<From<T>>& all, const std::string& file, const char* what,
                const std::optional<int64_t>& row) const {
    int64_t found = none, count = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].file != file) continue;
      if constexpr (std::is_same_v<T, ObservedSpectrum>) {
        if (row && all[i].what.row != *row) continue;
      }
      found = static_cast<int64_t>(i);
      ++count;
    }
    if (count == 0) throw Error(fmt::format("--pair: no {} was taken from '{}'", what, file));
    if (count > 1) throw Error(fmt::format("--pair: '{}' holds {} spectra; name one as '{}#ROW'", file, count, file));
    if (all[static_cast<size_t>(found)].partner != none) {
      throw Error(fmt::format("--pair: the {} of '{}' is in two pairs", what, file));
    }
    return found;
  }

  void pair_as_named() {
    for (const auto& [image, spectrum] : request_.pairs) {
      std::string file = spectrum;
      std::optional<int64_t> row;
      const size_t mark = spectrum.rfind('#');
      if (mark != std::string::npos) {
        int64_t number = 0;
        const char* end = spectrum.data() + spectrum.size();
        if (std::from_chars(spectrum.data() + mark + 1, end, number).ptr == end && mark + 1 < spectrum.size()) {
          file = spectrum.substr(0, mark);
          row = number;
        }
      }
      const int64_t of_image = named(images_, image, "image", {});
      pair(of_image, named(spectra_, file, "spectrum", row));
    }
  }

  /// The closest first; nothing is paired twice.
  void pair_by_position() {
    struct Match {
      double distance;
      int64_t image, spectrum;
    };
    std::vector<Match> matches;
    for (size_t i = 0; i < images_.size(); ++i) {
      for (size_t s = 0; s < spectra_.size(); ++s) {
        if (!spectra_[s].what.position) continue;
        const double distance = separation(images_[i].what.position, *spectra_[s].what.position) * arcsec_per_degree;
        if (distance <= pairing_radius) {
          matches.push_back({distance, static_cast<int64_t>(i), static_cast<int64_t>(s)});
        }
      }
    }
    std::ranges::stable_sort(matches, {}, &Match::distance);
    for (const Match& match : matches) {
      if (images_[static_cast<size_t>(match.image)].partner == none &&
          spectra_[static_cast<size_t>(match.spectrum)].partner == none) {
        pair(match.image, match.spectrum);
      }
    }
  }

  /// Pairs, images alone, spectra alone, each in the order of the files.
  void collect() {
    std::vector<Object> alone;
    for (size_t i = 0; i < images_.size(); ++i) {
      const Object object{static_cast<int64_t>(i), images_[i].partner};
      (object.spectrum != none ? objects_ : alone).push_back(object);
    }
    for (size_t s = 0; s < spectra_.size(); ++s) {
      if (spectra_[s].partner == none) alone.push_back({none, static_cast<int64_t>(s)});
    }
    objects_.insert(objects_.end(), alone.begin(), alone.end());
  }

  void number() {
    int64_t next = 1;
    for (Object& object : objects_) {
      const auto own = object.spectrum == none ? std::optional<int64_t>() : number_of(spectrum(object).what.id);
      while (!own && !ids_.insert(next).second) ++next;
      object.id = own.value_or(next);
      if (!own) number_in_file(object, next);
      if (object.image == none || object.spectrum == none) continue;
      const auto& image = images_[static_cast<size_t>(object.image)];
      const auto& position = spectrum(object).what.position;
      report_.pairs.push_back({image.file, spectrum(object).file, spectrum(object).what.row, object.id,
                               position ? separation(image.what.position, *position) * arcsec_per_degree : unknown});
    }
  }

  void number_in_file(const Object& object, int64_t id) {
    const std::string& file =
        object.spectrum == none ? images_[static_cast<size_t>(object.image)].file : spectrum(object).file;
    std::ranges::find(report_.files, file, &ImportedFile::file)->numbers.push_back(id);
  }

  /// Moves the test objects to the end.
  void split() {
    const auto kind = [](const Object& o) {
      return o.image != none && o.spectrum != none ? 0 : o.image != none ? 1 : 2;
    };
    std::array<std::vector<Object>, 3> kinds;
    for (const Object& object : objects_) kinds[static_cast<size_t>(kind(object))].push_back(object);
    report_.training = report_.objects * 8 / 10;
    report_.testing = report_.objects - report_.training;
    std::array<size_t, 3> testing = {};
    auto left = static_cast<size_t>(report_.testing);
    for (size_t k = 0; k < kinds.size(); ++k) left -= testing[k] = kinds[k].size() / 5;
    const auto largest = static_cast<size_t>(
        std::ranges::max_element(kinds, {}, [](const auto& one) { return one.size(); }) - kinds.begin());
    testing[largest] += left;
    objects_.clear();
    for (const bool last : {false, true}) {
      for (size_t k = 0; k < kinds.size(); ++k) {
        const auto border = kinds[k].end() - static_cast<std::ptrdiff_t>(testing[k]);
        objects_.insert(objects_.end(), last ? border : kinds[k].begin(), last ? kinds[k].end() : border);
      }
    }
  }

  const From<ObservedSpectrum>& spectrum(const Object& object) const {
    return spectra_[static_cast<size_t>(object.spectrum)];
  }

  void write() const {
    static const std::vector<std::string> labels = {"has_image", "has_spectrum", "ra", "dec", "zwarn"};
    const int64_t sizes[] = {report_.objects};
    const int64_t bands = std::ssize(request_.images.bands);
    data::PairedWriter writer(request_.output, sizes, labels, true, bands);
    const std::vector<float> no_image(static_cast<size_t>(bands * data::image_side * data::image_side), 0.0F);
    const std::vector<float> no_spectrum(static_cast<size_t>(data::spectrum_pixels), 0.0F);
    for (const Object& object : objects_) {
      const bool has_image = object.image != none, has_spectrum = object.spectrum != none;
      const ObservedSpectrum* one = has_spectrum ? &spectrum(object).what : nullptr;
      const ObservedImage* image = has_image ? &images_[static_cast<size_t>(object.image)].what : nullptr;
      const SkyPosition nowhere{unknown, unknown};
      const SkyPosition position = one != nullptr && one->position ? *one->position
                                   : image != nullptr              ? image->position
                                                                   : nowhere;
      const double redshift = one == nullptr ? unknown : one->redshift;
      const double warning = one == nullptr ? unknown : one->redshift_warning;
      const double flags[] = {has_image ? 1.0 : 0.0, has_spectrum ? 1.0 : 0.0};
      data::PairedRows row;
      row.count = 1;
      row.images = image == nullptr ? no_image : image->planes;
      row.spectra = one == nullptr ? no_spectrum : one->spectrum.flux;
      row.ivar = one == nullptr ? no_spectrum : one->spectrum.ivar;
      row.redshifts = {&redshift, 1};
      row.object_ids = {&object.id, 1};
      row.labels = {{"has_image", {flags, 1}},
                    {"has_spectrum", {flags + 1, 1}},
                    {"ra", {&position.ra, 1}},
                    {"dec", {&position.dec, 1}},
                    {"zwarn", {&warning, 1}}};
      writer.write(row);
    }
    writer.write_attribute("bands", fmt::format("{}", fmt::join(request_.images.bands, ",")));
    writer.write_attribute("image_values", !request_.images.values                        ? "by the unit"
                                           : *request_.images.values == PixelValues::flux ? "flux"
                                                                                          : "brightness");
    writer.commit();
  }

  const ImportRequest& request_;
  ImportReport report_;
  ImageReader image_reader_;
  std::vector<From<ObservedImage>> images_;
  std::vector<From<ObservedSpectrum>> spectra_;
  std::map<ObjectId, FittedRedshift> redshifts_;
  std::set<int64_t> ids_;
  std::vector<Object> objects_;
};

}  // namespace

ImportReport import_files(const ImportRequest& request) { return Importer(request).run(); }

}  // namespace astroclip::fits
