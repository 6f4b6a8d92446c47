#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "data/fields.h"
#include "data/labels.h"
#include "data/labels_internal.h"
#include "data/objects.h"
#include "io/table/key_columns.h"
#include "search/sky.h"

// Which row of a table is of which object.
namespace astroclip::data {

namespace {

constexpr size_t ids_shown = 3;

/// Identifiers as text: integers in decimal digits. Throws Error for numbers that cannot be identifiers.
std::string id_text(const io::Column& ids, int64_t row) {
  const auto* numbers = std::get_if<std::vector<double>>(&ids.values);
  if (numbers == nullptr || ids.is_missing(row)) return ids.text(row);
  const double number = (*numbers)[static_cast<size_t>(row)];
  if (!is_exact_id(number)) throw inexact_id(fmt::format("{}, row {}", ids.place, row + 1), number);
  return fmt::format("{}", static_cast<int64_t>(number));
}

/// Finds the rows of a table for a dataset's objects, and says how.
class Join {
 public:
  Join(const Dataset& objects, const io::Table& table, const LabelTable& how)
      : objects_(objects), table_(table), how_(how) {
    for (const Split split : splits) {
      const std::vector<int64_t> rows = rows_with(objects, split, {});
      joined_.rows[index_of(split)].assign(rows.size(), none);
      all_ += std::ssize(rows);
    }
  }

  JoinedRows run() && {
    if (!how_.id.empty()) {
      find_places(how_.radius > 0.0);
      by_id(table_.read(how_.id));
    } else {
      find_places(true);
      if (!places_)
        throw Error("[dataset] labels are joined by position, and the dataset has no labels 'ra' and 'dec'");
    }
    if (places_ && joined_.matched < all_) by_position();
    append(joined_.sentence, all_ - joined_.matched, "has no row", "have no row");
    joined_.sentence += remarks_;
    if (joined_.matched == 0) joined_.sentence += identifiers_;
    return std::move(joined_);
  }

 private:
  static constexpr int64_t none = -1;
  static constexpr double far_apart = 60.0;  ///< arcsec: more than positions of one object differ by

  /// Positions of the table's rows and of the objects of each split.
  struct Places {
    std::string ra_name, dec_name;
    std::vector<double> ra, dec;
    std::array<Positions, 2> objects;
  };

  static bool is_place(double ra, double dec) { return std::isfinite(ra) && std::abs(dec) <= 90.0; }

  /// None where the objects have no positions, or the table no columns of them.
  void find_places(bool wanted) {
    std::pair<std::string, std::string> columns(how_.ra, how_.dec);
    if (columns.first.empty()) columns = io::position_columns(table_).value_or(columns);
    if (!wanted || columns.first.empty()) return;
    Places places;
    for (const Split split : splits) {
      auto own = read_positions(objects_, split, rows_with(objects_, split, {}));
      if (!own) return;
      places.objects[index_of(split)] = std::move(*own);
    }
    const io::Column ra = table_.degrees(columns.first), dec = table_.degrees(columns.second);
    places_ = {ra.name, dec.name, ra.numbers(), dec.numbers(), std::move(places.objects)};
  }

  bool is_far(const Positions& own, size_t object, int64_t row) const {
    const auto r = static_cast<size_t>(row);
    const double ra = own.ra[object], dec = own.dec[object];
    return is_place(ra, dec) && is_place(places_->ra[r], places_->dec[r]) &&
           search::separation(ra, dec, places_->ra[r], places_->dec[r]) > far_apart;
  }

  void by_id(const io::Column& ids) {
    std::unordered_map<std::string, int64_t> first;
    int64_t missing = 0, far = 0;
    std::set<int64_t> repeated;
    for (int64_t row = 0; row < ids.rows(); ++row) {
      if (ids.is_missing(row)) {
        ++missing;
        continue;
      }
      const auto [entry, is_new] = first.emplace(id_text(ids, row), row);
      if (!is_new) repeated.insert(entry->second);
    }
    std::vector<std::string> shown, of_rows;
    for (const Split split : splits) {
      const ObjectIds own = read_object_ids(objects_, split, rows_with(objects_, split, {}));
      IdNames names;
      names.add(own);
      for (size_t i = 0; i < own.keys.size(); ++i) {
        if (shown.size() < ids_shown) shown.push_back(names(own.keys[i]));
        const auto found = first.find(names(own.keys[i]));
        if (found == first.end()) continue;
        const bool is_other = places_ && is_far(places_->objects[index_of(split)], i, found->second);
        far += is_other ? 1 : 0;
        joined_.matched += is_other ? 0 : 1;
        if (!is_other) joined_.rows[index_of(split)][i] = found->second;
      }
    }
    joined_.sentence =
        fmt::format("{} of {} matched by object_id = {}", joined_.matched, counted(all_, "object"), ids.name);
    append(remarks_, std::ssize(repeated), "identifier stands in several rows, of which the first is taken",
           "identifiers stand in several rows, of which the first is taken");
    append(remarks_, missing, "row has no identifier", "rows have no identifier");
    append(remarks_, far, "row of the same identifier is not taken, as it lies over 60 arcsec away",
           "rows of the same identifiers are not taken, as they lie over 60 arcsec away");
    for (int64_t row = 0; row < ids.rows() && of_rows.size() < ids_shown; ++row) {
      if (!ids.is_missing(row)) of_rows.push_back(id_text(ids, row));
    }
    identifiers_ =
        fmt::format("; the objects are {} …, the rows {} …", fmt::join(shown, ", "), fmt::join(of_rows, ", "));
  }

  /// Rows for the objects that have none, out of those that no object has.
  void by_position() {
    std::vector<double> ra = places_->ra;
    int64_t no_place = 0, objects_without = 0, ambiguous = 0, matched = 0;
    for (size_t row = 0; row < ra.size(); ++row) no_place += is_place(ra[row], places_->dec[row]) ? 0 : 1;
    for (const auto& rows : joined_.rows) {
      for (const int64_t row : rows) {
        if (row != none) ra[static_cast<size_t>(row)] = missing_label;
      }
    }
    const search::SkyIndex index(ra, places_->dec);
    std::unordered_map<int64_t, int64_t> used;
    for (const Split split : splits) {
      std::vector<int64_t>& rows = joined_.rows[index_of(split)];
      const Positions& own = places_->objects[index_of(split)];
      std::vector<size_t> left;
      Positions wanted;
      for (size_t i = 0; i < rows.size(); ++i) {
        if (rows[i] != none) continue;
        left.push_back(i);
        wanted.ra.push_back(own.ra[i]);
        wanted.dec.push_back(own.dec[i]);
        objects_without += is_place(own.ra[i], own.dec[i]) ? 0 : 1;
      }
      const auto matches = index.nearest(wanted.ra, wanted.dec, how_.radius);
      for (size_t k = 0; k < matches.size(); ++k) {
        if (matches[k].row < 0) continue;
        rows[left[k]] = matches[k].row;
        ++matched;
        ambiguous += matches[k].within > 1 ? 1 : 0;
        ++used[matches[k].row];
      }
    }
    joined_.matched += matched;
    const std::string place =
        fmt::format("within {} arcsec of {}, {}", how_.radius, places_->ra_name, places_->dec_name);
    joined_.sentence += joined_.sentence.empty()
                            ? fmt::format("{} of {} matched {}", matched, counted(all_, "object"), place)
                            : fmt::format(", {} of the others {}", matched, place);
    append(remarks_, objects_without, "object has no finite position", "objects have no finite position");
    append(remarks_, ambiguous, "has several rows within the radius, of which the nearest is taken",
           "have several rows within the radius, of which the nearest is taken");
    append(remarks_, std::ranges::count_if(used, [](const auto& row) { return row.second > 1; }),
           "row is the nearest of several objects", "rows are the nearest of several objects");
    append(remarks_, no_place, "row has no finite position", "rows have no finite position");
  }

  const Dataset& objects_;
  const io::Table& table_;
  const LabelTable& how_;
  std::optional<Places> places_;
  JoinedRows joined_;
  int64_t all_ = 0;
  std::string remarks_, identifiers_;
};

}  // namespace

JoinedRows join_rows(const Dataset& objects, const io::Table& table, const LabelTable& how) {
  return Join(objects, table, how).run();
}

}  // namespace astroclip::data
