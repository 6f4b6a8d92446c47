#include "data/objects.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "data/fields.h"
#include "search/sky.h"

namespace astroclip::data {

namespace {

std::optional<std::string> position_label(const std::vector<Field>& fields, const std::string& wanted) {
  const auto found = std::ranges::find_if(
      fields, [&](const Field& field) { return field.shape.rank() == 0 && lower(field.name) == wanted; });
  return found == fields.end() ? std::nullopt : std::optional(found->name);
}

}  // namespace

std::optional<Positions> read_positions(const Dataset& dataset, Split split, std::span<const int64_t> rows) {
  const std::vector<Field> fields = dataset.fields();
  const auto ra = position_label(fields, "ra"), dec = position_label(fields, "dec");
  if (!ra || !dec) return std::nullopt;
  return Positions{read_label(dataset, split, rows, *ra), read_label(dataset, split, rows, *dec)};
}

ObjectGroups group_objects(const Dataset& dataset, Split split) {
  const std::vector<int64_t> rows = rows_with(dataset, split, {});
  const std::vector<int64_t> ids = read_ids(dataset, split, rows);
  ObjectGroups groups{ids};
  const auto positions = read_positions(dataset, split, rows);
  if (!positions) return groups;
  const std::vector<int64_t> places = search::sky_groups(positions->ra, positions->dec, same_object_radius);
  // Places share objects and objects share places, until nothing changes: twice as a rule.
  for (bool changed = true; changed;) {
    changed = false;
    std::unordered_map<int64_t, int64_t> least_of_place, least_of_id;
    for (size_t row = 0; row < ids.size(); ++row) {
      for (auto* least : {&least_of_place.try_emplace(places[row], groups.ids[row]).first->second,
                          &least_of_id.try_emplace(ids[row], groups.ids[row]).first->second})
        *least = std::min(*least, groups.ids[row]);
    }
    for (size_t row = 0; row < ids.size(); ++row) {
      const int64_t least = std::min(least_of_place.at(places[row]), least_of_id.at(ids[row]));
      changed = changed || least != groups.ids[row];
      groups.ids[row] = least;
    }
  }
  std::unordered_set<int64_t> of_several_ids;
  for (size_t row = 0; row < ids.size(); ++row) {
    if (groups.ids[row] != ids[row]) of_several_ids.insert(groups.ids[row]);
  }
  groups.by_position = std::ranges::count_if(groups.ids, [&](int64_t id) { return of_several_ids.contains(id); });
  return groups;
}

}  // namespace astroclip::data
