#include "base/object_ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/rng.h"

namespace astroclip {

int64_t id_key(const std::string& text) { return std::bit_cast<int64_t>(stable_hash(text)); }

bool is_exact_id(double number) { return std::abs(number) < first_rounded && number == std::floor(number); }

Error inexact_id(const std::string& place, double number) {
  return Error(
      fmt::format("{}: {} identifies no object exactly; expected integers, texts, or floating-point numbers below 2^53 "
                  "without a fraction",
                  place, number));
}

std::vector<char> padded_texts(std::span<const std::string> texts, size_t bytes) {
  std::vector<char> all(texts.size() * bytes, '\0');
  for (size_t i = 0; i < texts.size(); ++i) {
    std::ranges::copy(texts[i], all.begin() + static_cast<std::ptrdiff_t>(i * bytes));
  }
  return all;
}

void IdNames::add(const ObjectIds& ids) {
  kind_ = ids.kind;
  if (ids.kind != IdKind::text) return;
  for (size_t i = 0; i < ids.keys.size(); ++i) {
    const auto [known, is_new] = texts_.emplace(ids.keys[i], ids.texts[i]);
    if (is_new || known->second == ids.texts[i]) continue;
    throw Error("the identifiers '" + known->second + "' and '" + ids.texts[i] + "' have the same hash; rename one");
  }
}

std::string IdNames::operator()(int64_t key) const {
  if (kind_ == IdKind::int64) return std::to_string(key);
  return kind_ == IdKind::uint64 ? std::to_string(std::bit_cast<uint64_t>(key)) : texts_.at(key);
}

ObjectIds IdNames::of(std::span<const int64_t> keys) const {
  ObjectIds ids{kind_, {keys.begin(), keys.end()}};
  if (kind_ != IdKind::text) return ids;
  for (const int64_t key : keys) ids.texts.push_back(texts_.at(key));
  return ids;
}

}  // namespace astroclip
