#include "fits/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "base/error.h"
#include "base/object_ids.h"
#include "data/gaps.h"
#include "data/layouts/paired_file.h"
#include "data/survey.h"
#include "fits/label_tables.h"
#include "fits/measured_spectra.h"
#include "fits/places.h"
#include "fits/seen_files.h"
#include "search/sky.h"

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
      : request_(request), pixels_(request.output), image_reader_(request.images, &pixels_) {}

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
    std::ranges::stable_sort(objects_, {}, kind);
    number();
    report_.objects = static_cast<int64_t>(objects_.size());
    for (const Object& object : objects_) {
      report_.images += object.image != none ? 1 : 0;
      report_.spectra += object.spectrum != none ? 1 : 0;
      report_.redshifts += std::isfinite(object.redshift) ? 1 : 0;
    }
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
    if (request_.at.empty()) return take(image_reader_.whole_images());
    const Places places = read_places(request_.at);
    StampsAtPlaces stamps = image_reader_.stamps(places.positions);
    ImportedFile entry{request_.at, "places", 0, {}, {}, {}};
    for (const auto& [row, reason] : stamps.refused) entry.refused.push_back({row, reason});
    entry.taken = std::ssize(places.positions) - std::ssize(stamps.refused);
    report_.files.push_back(std::move(entry));
    for (ImagesOfFile& of : stamps.files) {
      for (ObservedImage& image : of.images) {
        const auto row = static_cast<size_t>(*image.place);
        if (row < places.ids.size() && !places.ids[row].empty()) image.id = ObjectId{places.id_name, places.ids[row]};
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

  /// What each of a component's members is joined with: the first, or, where there are stamps at places of different
  /// identifiers, which are different objects however near, the nearest of those.
  std::vector<size_t> anchors_of(const std::vector<size_t>& members, const std::vector<double>& ra,
                                 const std::vector<double>& dec) const {
    std::vector<size_t> stamps;
    std::set<ObjectId> ids;
    for (const size_t i : members) {
      if (i >= images_.size() || !images_[i].what.place || !images_[i].what.id) continue;
      stamps.push_back(i);
      ids.insert(*images_[i].what.id);
    }
    std::vector<size_t> anchors(members.size(), members.front());
    if (ids.size() < 2) return anchors;
    for (size_t k = 0; k < members.size(); ++k) {
      const size_t i = members[k];
      const auto& id = i < images_.size() ? images_[i].what.id : spectra_[i - images_.size()].what.id;
      anchors[k] = *std::ranges::min_element(stamps, {}, [&](size_t stamp) {
        return std::tuple(id != images_[stamp].what.id, separation({ra[i], dec[i]}, {ra[stamp], dec[stamp]}),
                          stamp != i);
      });
    }
    return anchors;
  }

  /// Images and spectra of equal identifiers, named pairs, or positions joined by steps of at most the radius, in the
  /// order of their first ones. An image of a named pair has no position.
  std::vector<Group> groups() const {
    const size_t count = images_.size() + spectra_.size();
    std::vector<size_t> root(count);
    std::iota(root.begin(), root.end(), size_t{0});
    const auto find = [&](size_t i) {
      while (root[i] != i) i = root[i] = root[root[i]];
      return i;
    };
    const auto join = [&](size_t a, size_t b) {
      a = find(a);
      b = find(b);
      root[std::max(a, b)] = std::min(a, b);
    };
    std::vector<double> ra(count, unknown), dec(count, unknown);
    const auto place = [&](size_t i, const SkyPosition& position) {
      std::tie(ra[i], dec[i]) = std::pair(position.ra, position.dec);
    };
    std::map<ObjectId, size_t> by_id;
    for (size_t i = 0; i < images_.size(); ++i) {
      const ObservedImage& one = images_[i].what;
      if (images_[i].partner == none)
        place(i, one.position);
      else
        join(i, images_.size() + static_cast<size_t>(images_[i].partner));
      if (one.id) join(i, by_id.emplace(*one.id, i).first->second);
    }
    for (size_t s = 0; s < spectra_.size(); ++s) {
      const size_t i = images_.size() + s;
      const ObservedSpectrum& one = spectra_[s].what;
      if (one.position) place(i, *one.position);
      if (one.id) join(i, by_id.emplace(*one.id, i).first->second);
    }
    const auto near = search::sky_groups(ra, dec, pairing_radius);
    std::map<int64_t, std::vector<size_t>> components;
    for (size_t i = 0; i < count; ++i) components[near[i]].push_back(i);
    for (const auto& [first, members] : components) {
      const std::vector<size_t> anchors = anchors_of(members, ra, dec);
      for (size_t k = 0; k < members.size(); ++k) join(members[k], anchors[k]);
    }
    std::map<size_t, Group> found;
    for (size_t i = 0; i < count; ++i) {
      Group& group = found[find(i)];
      if (i < images_.size())
        group.images.push_back(static_cast<int64_t>(i));
      else
        group.spectra.push_back(static_cast<int64_t>(i - images_.size()));
    }
    std::vector<Group> groups;
    for (auto& [first, group] : found) groups.push_back(std::move(group));
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
        file_of(name_of(object)).numbers.push_back(next);
      }
      if (object.image == none || object.spectrum == none) continue;
      const auto& image = images_[static_cast<size_t>(object.image)];
      const auto& position = spectrum(object).what.position;
      report_.pairs.push_back({image.file, spectrum(object).file, spectrum(object).what.row, object.id,
                               position ? separation(image.what.position, *position) * arcsec_per_degree : unknown});
    }
  }

  /// The number that a text is written as; none if it is no such number.
  template <class T>
  static std::optional<T> number_of(const std::string& text) {
    T number = 0;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    const bool is_all = read.ec == std::errc() && read.ptr == end && std::to_string(number) == text;
    return is_all ? std::optional(number) : std::nullopt;
  }

  /// As signed numbers, else unsigned ones, else texts, whichever all of them are.
  ObjectIds object_ids() const {
    const auto all = [&](auto is) { return std::ranges::all_of(objects_, is, &Object::id); };
    ObjectIds ids;
    ids.kind = all([](const auto& id) { return number_of<int64_t>(id).has_value(); })    ? IdKind::int64
               : all([](const auto& id) { return number_of<uint64_t>(id).has_value(); }) ? IdKind::uint64
                                                                                         : IdKind::text;
    for (const Object& object : objects_) {
      if (ids.kind == IdKind::text) ids.texts.push_back(object.id);
      ids.keys.push_back(ids.kind == IdKind::int64    ? *number_of<int64_t>(object.id)
                         : ids.kind == IdKind::uint64 ? std::bit_cast<int64_t>(*number_of<uint64_t>(object.id))
                                                      : id_key(object.id));
    }
    return ids;
  }

  /// Its file.
  const std::string& name_of(const Object& object) const {
    return object.spectrum == none ? images_[static_cast<size_t>(object.image)].file : spectrum(object).file;
  }

  /// Pairs, images alone, spectra alone.
  static int kind(const Object& o) { return o.image != none && o.spectrum != none ? 0 : o.image != none ? 1 : 2; }

  /// Moves the test objects to the end.
  void split() {
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

  /// Of its spectrum, or else of its image.
  SkyPosition position_of(const Object& object) const {
    if (object.spectrum != none && spectrum(object).what.position) return *spectrum(object).what.position;
    return object.image != none ? images_[static_cast<size_t>(object.image)].what.position
                                : SkyPosition{unknown, unknown};
  }

  TableLabels join_labels() const {
    std::vector<std::string> ids;
    std::vector<SkyPosition> places;
    for (const Object& object : objects_) {
      ids.push_back(object.id);
      places.push_back(position_of(object));
    }
    return join_tables(request_.labels, ids, places);
  }

  void write() {
    const TableLabels joined = join_labels();
    report_.label_notes = joined.notes;
    std::vector<std::string> labels = {"has_image", "has_spectrum", "ra", "dec", "zwarn"};
    for (const auto& [name, values] : joined.labels) labels.push_back(name);
    const int64_t sizes[] = {report_.objects};
    const int64_t bands = std::ssize(request_.images.bands);
    data::PairedWriter writer(request_.output, sizes, labels, true, bands, object_ids());
    const std::vector<float> no_image(static_cast<size_t>(bands * data::image_side * data::image_side), 0.0F);
    std::vector<float> planes(no_image.size());
    const std::vector<float> no_spectrum(static_cast<size_t>(data::spectrum_pixels), 0.0F);
    for (size_t place = 0; place < objects_.size(); ++place) {
      const Object& object = objects_[place];
      const bool has_image = object.image != none, has_spectrum = object.spectrum != none;
      const ObservedSpectrum* one = has_spectrum ? &spectrum(object).what : nullptr;
      if (has_image) pixels_.read(images_[static_cast<size_t>(object.image)].what.stored, planes);
      const SkyPosition position = position_of(object);
      const double flags[] = {has_image ? 1.0 : 0.0, has_spectrum ? 1.0 : 0.0};
      data::PairedRows row;
      row.count = 1;
      row.images = has_image ? planes : no_image;
      row.spectra = one == nullptr ? no_spectrum : one->spectrum.flux;
      row.ivar = one == nullptr ? no_spectrum : one->spectrum.ivar;
      row.redshifts = {&object.redshift, 1};
      row.labels = {{"has_image", {flags, 1}},
                    {"has_spectrum", {flags + 1, 1}},
                    {"ra", {&position.ra, 1}},
                    {"dec", {&position.dec, 1}},
                    {"zwarn", {&object.warning, 1}}};
      for (const auto& [name, values] : joined.labels) row.labels[name] = {&values[place], 1};
      writer.write(row);
    }
    for (const auto& [name, texts] : joined.texts) writer.write_texts(name, texts);
    const auto& names = request_.images.bands;
    const bool are_letters = std::ranges::all_of(names, [](const std::string& name) { return name.size() == 1; });
    writer.write_attribute("bands", fmt::format("{}", fmt::join(names, are_letters ? "" : ",")));
    writer.write_attribute("image_values", !request_.images.values                        ? "by the unit"
                                           : *request_.images.values == PixelValues::flux ? "flux"
                                                                                          : "brightness");
    writer.commit();
  }

  const ImportRequest& request_;
  ImportReport report_;
  PixelStore pixels_;
  ImageReader image_reader_;
  std::vector<From<ObservedImage>> images_;
  std::vector<From<ObservedSpectrum>> spectra_;
  std::map<ObjectId, std::vector<From<ObservedSpectrum>>> partial_;
  std::map<ObjectId, std::vector<RedshiftChoice>> redshifts_;
  SeenFiles seen_;
  std::vector<Object> objects_;
};

}  // namespace

ImportReport import_files(const ImportRequest& request) { return Importer(request).run(); }

}  // namespace astroclip::fits
