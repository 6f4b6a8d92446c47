#include "fits/object_groups.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "search/sky.h"

namespace astroclip::fits {

namespace {

/// What each of the members, which are near each other, is joined with: the first, or, where there are stamps of
/// different identifiers, the nearest of those.
std::vector<size_t> anchors_of(std::span<const Identity> all, const std::vector<size_t>& members) {
  std::vector<size_t> stamps;
  std::set<ObjectId> ids;
  for (const size_t i : members) {
    if (!all[i].is_stamp || !all[i].id) continue;
    stamps.push_back(i);
    ids.insert(*all[i].id);
  }
  std::vector<size_t> anchors(members.size(), members.front());
  if (ids.size() < 2) return anchors;
  for (size_t k = 0; k < members.size(); ++k) {
    const Identity& own = all[members[k]];
    anchors[k] = *std::ranges::min_element(stamps, {}, [&](size_t stamp) {
      return std::tuple(own.id != all[stamp].id, separation(own.position, all[stamp].position), stamp != members[k]);
    });
  }
  return anchors;
}

/// Sets of numbers that are joined, each known by its least.
class JoinedSets {
 public:
  explicit JoinedSets(size_t count) : root_(count) { std::iota(root_.begin(), root_.end(), size_t{0}); }
  size_t find(size_t i) {
    while (root_[i] != i) i = root_[i] = root_[root_[i]];
    return i;
  }
  void join(size_t a, size_t b) {
    a = find(a);
    b = find(b);
    root_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<size_t> root_;
};

}  // namespace

std::vector<std::vector<int64_t>> group_by_object(std::span<const Identity> all) {
  JoinedSets sets(all.size());
  std::vector<double> ra, dec;
  std::map<ObjectId, size_t> by_id;
  for (size_t i = 0; i < all.size(); ++i) {
    const Identity& one = all[i];
    ra.push_back(one.position.ra);
    dec.push_back(one.position.dec);
    if (one.partner >= 0) sets.join(i, static_cast<size_t>(one.partner));
    if (one.id) sets.join(i, by_id.emplace(*one.id, i).first->second);
  }
  const auto near = search::sky_groups(ra, dec, pairing_radius);
  std::map<int64_t, std::vector<size_t>> components;
  for (size_t i = 0; i < all.size(); ++i) components[near[i]].push_back(i);
  for (const auto& [first, members] : components) {
    const std::vector<size_t> anchors = anchors_of(all, members);
    for (size_t k = 0; k < members.size(); ++k) sets.join(members[k], anchors[k]);
  }
  std::map<size_t, std::vector<int64_t>> found;
  for (size_t i = 0; i < all.size(); ++i) found[sets.find(i)].push_back(static_cast<int64_t>(i));
  std::vector<std::vector<int64_t>> groups;
  for (auto& [first, members] : found) groups.push_back(std::move(members));
  return groups;
}

}  // namespace astroclip::fits
