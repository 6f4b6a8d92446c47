#include "explore/selections.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "serve/http_server.h"

namespace astroclip::explore {

namespace {

constexpr int64_t most_selections = 64;

/// The selection of that number among those kept.
template <class Kept>
auto& kept_under(Kept& kept, int64_t id) {
  const auto found = kept.find(id);
  if (found == kept.end()) throw serve::NotFound(fmt::format("there is no selection {}", id));
  return found->second;
}

}  // namespace

Selection Selections::add(std::string name, map::Mask rows) {
  const int64_t count = map::count_of(rows);
  const std::scoped_lock lock(mutex_);
  if (std::ssize(kept_) >= most_selections)
    throw Error(fmt::format("there are {} selections already; remove one", most_selections));
  const int64_t id = ++last_;
  if (name.empty()) name = fmt::format("selection {}", id);
  return kept_[id] = {id, std::move(name), count, std::make_shared<const map::Mask>(std::move(rows))};
}

std::vector<Selection> Selections::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Selection> all;
  for (const auto& [id, one] : kept_) all.push_back(one);
  return all;
}

Selection Selections::find(int64_t id) const {
  const std::scoped_lock lock(mutex_);
  return kept_under(kept_, id);
}

void Selections::rename(int64_t id, const std::string& name) {
  const std::scoped_lock lock(mutex_);
  kept_under(kept_, id).name = name;
}

void Selections::remove(int64_t id) {
  const std::scoped_lock lock(mutex_);
  kept_under(kept_, id);
  kept_.erase(id);
}

map::Mask joined(const map::Mask& earlier, map::Mask rows, const std::string& how) {
  for (size_t word = 0; word < rows.size(); ++word) {
    if (how == "union")
      rows[word] |= earlier[word];
    else if (how == "intersection")
      rows[word] &= earlier[word];
    else if (how == "difference")
      rows[word] = earlier[word] & ~rows[word];
    else
      throw Error(fmt::format("'how' must be one of union, intersection, difference, found '{}'", how));
  }
  return rows;
}

}  // namespace astroclip::explore
