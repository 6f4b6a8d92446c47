#include "fits/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/error.h"
#include "data/gaps.h"
#include "data/survey.h"
#include "fits/label_tables.h"
#include "fits/measured_spectra.h"
#include "fits/object_groups.h"
#include "fits/places.h"
#include "fits/seen_files.h"
#include "fits/written_objects.h"

namespace astroclip::fits {

namespace {

constexpr double arcsec_per_degree = 3600.0;
constexpr int64_t none = -1;

/// Two spellings of one redshift.
constexpr double same_redshift = 1e-6;

/// A row to write: an image, a spectrum or both, by their numbers, and a redshift.
struct Object {
  int64_t image = none, spectrum = none;
  std::string id;
  bool is_numbered = false;  ///< the identifier is a number given here
  double redshift = unknown, warning = unknown;
};

/// All observations of one object, by their numbers.
struct Group {
  std::vector<int64_t> images, spectra;
};

/// The median over the measured pixels.
double signal_to_noise(const GridSpectrum& spectrum) {
  std::vector<double> ratios;
  for (size_t i = 0; i < spectrum.ivar.size(); ++i) {
    if (spectrum.ivar[i] > 0.0F) ratios.push_back(spectrum.flux[i] * std::sqrt(static_cast<double>(spectrum.ivar[i])));
  }
  if (ratios.empty()) return 0.0;
  const auto middle = ratios.begin() + std::ssize(ratios) / 2;
  std::ranges::nth_element(ratios, middle);
  return *middle;
}

/// One of several redshifts of an object.
struct RedshiftChoice {
  FittedRedshift fit;
  std::string file;
  bool is_of_taken = false;  ///< comes with the spectrum that was taken

  /// The less, the better; no two of different rows are equal.
  auto order() const {
    const int fault = fit.warning == 0.0 ? 0 : std::isnan(fit.warning) ? 1 : 2;
    const double chi2 = std::isnan(fit.delta_chi2) ? 0.0 : -fit.delta_chi2;
    return std::tuple(fault, !fit.is_primary, !is_of_taken, chi2, file, fit.row);
  }
  bool is_same(const RedshiftChoice& other) const {
    return std::abs(fit.redshift - other.fit.redshift) < same_redshift &&
           std::get<0>(order()) == std::get<0>(other.order());
  }
};

/// Why the first was taken.
std::string reason(const RedshiftChoice& taken, const RedshiftChoice& other) {
  const auto [fault, is_secondary, is_other, chi2, file, row] = taken.order();
  const auto [other_fault, other_secondary, other_other, other_chi2, other_file, other_row] = other.order();
  if (fault != other_fault) return fmt::format("ZWARN {}, here {}", taken.fit.warning, other.fit.warning);
  if (is_secondary != other_secondary) return "ZCAT_PRIMARY";
  if (is_other != other_other) return "it comes with the spectrum that was taken";
  if (chi2 != other_chi2)
    return fmt::format("DELTACHI2 {:.4g}, here {:.4g}", taken.fit.delta_chi2, other.fit.delta_chi2);
  return "the first by name and row";
}

/// The measured pixels of a spectrum on the grid.
MeasuredSpectrum on_grid_pixels(const GridSpectrum& spectrum) {
  MeasuredSpectrum pixels;
  for (size_t i = 0; i < spectrum.ivar.size(); ++i) {
    if (!(spectrum.ivar[i] > 0.0F)) continue;
    pixels.wavelength.push_back(data::wavelength_of(static_cast<int64_t>(i)));
    pixels.flux.push_back(spectrum.flux[i]);
    pixels.ivar.push_back(spectrum.ivar[i]);
  }
  return pixels;
}

class Importer {
 public:
  explicit Importer(const ImportRequest& request)
      : request_(request), tables_(request.labels), pixels_(request.output), image_reader_(request.images, &pixels_) {
    if (!request.at.empty()) places_ = read_places(request.at);
  }

  ImportReport run() {
    for (const std::string& file : request_.files) {
      if (const auto same = seen_.find_or_add(file)) {
        report_.files.push_back({file, "repeated", 0, {{{}, fmt::format("is the same file as '{}'", *same)}}, {}, {}});
      } else {
        add(read_observations(file));
      }
    }
    join_partial_spectra();
    read_images();
    pair_as_named();
    for (const Group& group : groups()) objects_.push_back(choose(group));
    leave_out_other_redshifts();
    std::ranges::stable_sort(objects_, {}, kind);
    number();
    report_.objects = static_cast<int64_t>(objects_.size());
    for (const Object& object : objects_) {
      report_.images += object.image != none ? 1 : 0;
      report_.spectra += object.spectrum != none ? 1 : 0;
      report_.redshifts += std::isfinite(object.redshift) ? 1 : 0;
    }
    if (!objects_.empty()) {
      std::vector<WrittenObject> objects = objects_to_write();
      report_.training = put_test_objects_last(objects);
      report_.testing = report_.objects - report_.training;
      report_.label_notes = write_objects(objects, pixels_, request_, tables_);
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
      spectra_.push_back({found.file, std::move(one)});
      ++entry.taken;
    }
    image_reader_.add(std::move(found.images));
    for (ObservedSpectrum& one : found.partial) partial_[*one.id].push_back({found.file, std::move(one)});
    for (const FittedRedshift& one : found.redshifts) redshifts_[one.id].push_back({one, found.file});
    entry.taken += std::ssize(found.redshifts);
    report_.files.push_back(std::move(entry));
  }

  /// Arms of one object's spectrum that lie in several files become one spectrum, of the first of these.
  void join_partial_spectra() {
    std::map<std::pair<std::string, std::vector<std::string>>, int64_t> joined;
    for (auto& [id, parts] : partial_) {
      std::vector<SpectrumPiece> pieces;
      std::vector<MeasuredSpectrum> values(parts.size());
      for (size_t i = 0; i < parts.size(); ++i) {
        values[i] = on_grid_pixels(parts[i].what.spectrum);
        pieces.push_back(values[i].piece());
      }
      From<ObservedSpectrum> whole = parts.front();
      whole.what.spectrum = on_grid(pieces);
      if (parts.size() == 1 || whole.what.spectrum.measured < fewest_measured) {
        for (const auto& part : parts) file_of(part.file).refused.push_back(too_little(part.what));
        continue;
      }
      data::fill_gaps(whole.what.spectrum.flux, whole.what.spectrum.ivar);
      ++file_of(whole.file).taken;
      std::vector<std::string> others;
      for (size_t i = 1; i < parts.size(); ++i) others.push_back(parts[i].file);
      ++joined[{whole.file, others}];
      spectra_.push_back(std::move(whole));
    }
    for (const auto& [files, count] : joined) {
      const auto& [first, others] = files;
      file_of(first).notes.push_back(fmt::format("{} {} joined with the other arms in {}", count,
                                                 count == 1 ? "spectrum was" : "spectra were",
                                                 fmt::join(others, ", ")));
      for (const std::string& other : others) file_of(other).notes.push_back("joined with " + first);
    }
  }

  void read_images() {
    if (!places_) return take(image_reader_.whole_images());
    StampsAtPlaces stamps = image_reader_.stamps(places_->positions);
    ImportedFile entry{request_.at, "places", 0, {}, {}, {}};
    for (const auto& [row, reason] : stamps.refused) entry.refused.push_back({row, reason});
    entry.taken = std::ssize(places_->positions) - std::ssize(stamps.refused);
    report_.files.push_back(std::move(entry));
    for (ImagesOfFile& of : stamps.files) {
      for (ObservedImage& image : of.images) {
        const auto row = static_cast<size_t>(*image.place);
        if (row < places_->ids.size() && !places_->ids[row].empty())
          image.id = ObjectId{places_->id_name, places_->ids[row]};
      }
    }
    take(std::move(stamps.files));
  }

  void take(std::vector<ImagesOfFile> all) {
    for (ImagesOfFile& of : all) {
      ImportedFile& entry = file_of(of.file);
      for (const std::string& reason : of.refused) entry.refused.push_back({{}, reason});
      entry.notes.insert(entry.notes.end(), of.notes.begin(), of.notes.end());
      entry.taken += std::ssize(of.images);
      for (const std::string& other : of.others) {
        file_of(other).notes.push_back("joined with " + of.file);
      }
      for (ObservedImage& image : of.images) images_.push_back({of.file, std::move(image)});
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

  ImportedFile& file_of(const std::string& name) {
    return *std::ranges::find(report_.files, name, &ImportedFile::file);
  }

  /// Notes that an observation was passed over for another one of its object.
  void pass_over(const std::string& name, std::optional<int64_t> row, std::string why) {
    ImportedFile& file = file_of(name);
    --file.taken;
    file.refused.push_back({row, std::move(why)});
  }

  /// All observations, images first, by their objects.
  std::vector<Group> groups() const {
    std::vector<Identity> all;
    const auto images = std::ssize(images_);
    for (const auto& [file, one, partner] : images_) {
      Identity& identity = all.emplace_back(Identity{one.id, one.position, one.place.has_value()});
      if (partner == none) continue;
      identity.partner = images + partner;
      identity.position = {unknown, unknown};  // of a named pair, it goes by that alone
    }
    for (const auto& [file, one, partner] : spectra_)
      all.push_back({one.id, one.position.value_or(SkyPosition{unknown, unknown}), false});
    std::vector<Group> groups;
    for (const std::vector<int64_t>& members : group_by_object(all)) {
      Group& group = groups.emplace_back();
      for (const int64_t i : members) {
        if (i < images)
          group.images.push_back(i);
        else
          group.spectra.push_back(i - images);
      }
    }
    return groups;
  }

  /// Of several observations of an object the best, whatever the order of the files; the others are refused with the
  /// reason.
  Object choose(const Group& group) {
    Object object;
    object.spectrum = choose_spectrum(group.spectra);
    object.image = choose_image(group.images, object.spectrum);
    choose_redshift(group.spectra, object);
    return object;
  }

  int64_t choose_spectrum(const std::vector<int64_t>& all) {
    if (all.size() < 2) return all.empty() ? none : all[0];
    std::map<int64_t, double> ratio;
    for (const int64_t s : all) ratio[s] = signal_to_noise(spectra_[static_cast<size_t>(s)].what.spectrum);
    const auto order = [&](int64_t s) {
      const auto& one = spectra_[static_cast<size_t>(s)];
      return std::tuple(one.partner == none, -ratio[s], one.file, one.what.row);
    };
    const int64_t best = *std::ranges::min_element(all, {}, order);
    const auto& taken = spectra_[static_cast<size_t>(best)];
    for (const int64_t s : all) {
      if (s == best) continue;
      const auto& one = spectra_[static_cast<size_t>(s)];
      const std::string why = taken.partner != none && one.partner == none ? "--pair names it"
                              : ratio[s] == ratio[best]
                                  ? "the first by name and row"
                                  : fmt::format("its S/N is {:.3g}, here {:.3g}", ratio[best], ratio[s]);
      pass_over(
          one.file, one.what.row,
          fmt::format("of this object the spectrum of '{}', row {}, was taken: {}", taken.file, taken.what.row, why));
    }
    return best;
  }

  int64_t choose_image(const std::vector<int64_t>& all, int64_t of_spectrum) {
    if (all.size() < 2) return all.empty() ? none : all[0];
    const auto position = of_spectrum == none ? std::nullopt : spectra_[static_cast<size_t>(of_spectrum)].what.position;
    const auto distance = [&](int64_t i) {
      return position ? separation(images_[static_cast<size_t>(i)].what.position, *position) * arcsec_per_degree : 0.0;
    };
    const auto order = [&](int64_t i) {
      const auto& one = images_[static_cast<size_t>(i)];
      return std::tuple(one.partner == none || one.partner != of_spectrum, distance(i), one.file, i);
    };
    const int64_t best = *std::ranges::min_element(all, {}, order);
    const auto& taken = images_[static_cast<size_t>(best)];
    for (const int64_t i : all) {
      if (i == best) continue;
      const auto& one = images_[static_cast<size_t>(i)];
      const std::string why =
          taken.partner != none && taken.partner == of_spectrum ? "--pair names it"
          : distance(i) != distance(best)
              ? fmt::format("its middle is {:.2f}\" from the spectrum, here {:.2f}\"", distance(best), distance(i))
              : "the first by name";
      pass_over(one.file, {}, fmt::format("of this object the image of '{}' was taken: {}", taken.file, why));
    }
    return best;
  }

  void choose_redshift(const std::vector<int64_t>& all, Object& object) {
    std::vector<RedshiftChoice> choices;
    std::set<ObjectId> ids;
    for (const int64_t s : all) {
      const auto& [file, one, partner] = spectra_[static_cast<size_t>(s)];
      if (one.id) ids.insert(*one.id);
      if (!std::isfinite(one.redshift)) continue;
      RedshiftChoice& choice = choices.emplace_back();
      choice.fit.row = one.row;
      choice.fit.redshift = one.redshift;
      choice.fit.warning = one.redshift_warning;
      choice.file = file;
      choice.is_of_taken = s == object.spectrum;
    }
    const size_t own = choices.size();
    for (const ObjectId& id : ids) {
      if (const auto found = redshifts_.find(id); found != redshifts_.end()) {
        choices.insert(choices.end(), found->second.begin(), found->second.end());
        joined_redshifts_.insert(id);
      }
    }
    if (choices.empty()) return;
    const RedshiftChoice& best = *std::ranges::min_element(choices, {}, &RedshiftChoice::order);
    object.redshift = best.fit.redshift;
    object.warning = best.fit.warning;
    for (size_t i = 0; i < choices.size(); ++i) {
      const RedshiftChoice& one = choices[i];
      if (one.is_same(best)) continue;
      std::string why = fmt::format("of this object the redshift {:.6g} of '{}' was taken, not {:.6g}: {}",
                                    best.fit.redshift, best.file, one.fit.redshift, reason(best, one));
      if (i >= own)
        pass_over(one.file, one.fit.row, std::move(why));
      else
        file_of(one.file).notes.push_back(fmt::format("row {}: {}", one.fit.row, why));
    }
  }

  /// Redshifts whose identifier no spectrum has were not taken.
  void leave_out_other_redshifts() {
    std::map<std::string, int64_t> others;
    for (const auto& [id, all] : redshifts_) {
      for (const RedshiftChoice& one : all) others[one.file] += joined_redshifts_.contains(id) ? 0 : 1;
    }
    for (const auto& [name, count] : others) {
      if (count == 0) continue;
      ImportedFile& file = file_of(name);
      file.taken -= count;
      file.notes.push_back(
          fmt::format("{} {} of none of the spectra", count, count == 1 ? "redshift is" : "redshifts are"));
    }
  }

  /// Of the spectrum, or else of the image.
  const std::optional<ObjectId>& id_of(const Object& object) const {
    if (object.spectrum != none && (spectrum(object).what.id || object.image == none)) return spectrum(object).what.id;
    return images_[static_cast<size_t>(object.image)].what.id;
  }

  /// The identifier of the object, if it is no other's, too; else 1, 2, …, and it is said.
  void number() {
    std::set<std::string> used;
    for (Object& object : objects_) {
      const auto& id = id_of(object);
      if (!id) continue;
      if (used.insert(id->value).second) {
        object.id = id->value;
      } else {
        file_of(name_of(object))
            .notes.push_back(
                fmt::format("{} is also another object's identifier, so a number stands for it", id->str()));
      }
    }
    int64_t next = 1;
    for (Object& object : objects_) {
      if (object.id.empty()) {
        while (!used.insert(std::to_string(next)).second) ++next;
        object.id = std::to_string(next);
        object.is_numbered = true;
        file_of(name_of(object)).numbers.push_back(next);
      }
      if (object.image == none || object.spectrum == none) continue;
      const auto& image = images_[static_cast<size_t>(object.image)];
      const auto& position = spectrum(object).what.position;
      report_.pairs.push_back({image.file, spectrum(object).file, spectrum(object).what.row, object.id,
                               position ? separation(image.what.position, *position) * arcsec_per_degree : unknown});
    }
  }

  /// Its file.
  const std::string& name_of(const Object& object) const {
    return object.spectrum == none ? images_[static_cast<size_t>(object.image)].file : spectrum(object).file;
  }

  /// Pairs, images alone, spectra alone.
  static int kind(const Object& o) { return o.image != none && o.spectrum != none ? 0 : o.image != none ? 1 : 2; }

  const From<ObservedSpectrum>& spectrum(const Object& object) const {
    return spectra_[static_cast<size_t>(object.spectrum)];
  }

  /// Of its spectrum, or else of its image.
  SkyPosition position_of(const Object& object) const {
    if (object.spectrum != none && spectrum(object).what.position) return *spectrum(object).what.position;
    return object.image != none ? images_[static_cast<size_t>(object.image)].what.position
                                : SkyPosition{unknown, unknown};
  }

  std::vector<WrittenObject> objects_to_write() const {
    std::vector<WrittenObject> all;
    for (const Object& object : objects_) {
      all.push_back({object.id, !object.is_numbered, position_of(object), object.redshift, object.warning,
                     object.image == none ? none : images_[static_cast<size_t>(object.image)].what.stored,
                     object.spectrum == none ? nullptr : &spectrum(object).what.spectrum});
    }
    return all;
  }

  const ImportRequest& request_;
  LabelTables tables_;
  std::optional<Places> places_;
  ImportReport report_;
  PixelStore pixels_;
  ImageReader image_reader_;
  std::vector<From<ObservedImage>> images_;
  std::vector<From<ObservedSpectrum>> spectra_;
  std::map<ObjectId, std::vector<From<ObservedSpectrum>>> partial_;
  std::map<ObjectId, std::vector<RedshiftChoice>> redshifts_;
  std::set<ObjectId> joined_redshifts_;  ///< identifiers
  SeenFiles seen_;
  std::vector<Object> objects_;
};

}  // namespace

ImportReport import_files(const ImportRequest& request) { return Importer(request).run(); }

}  // namespace astroclip::fits
