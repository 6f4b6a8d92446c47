#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace astroclip::explore {

/// The values that were asked for last, as many as stay within some bytes, and always the last one. Not thread-safe.
template <class Key, class Value>
class Latest {
 public:
  explicit Latest(size_t most_bytes) : most_bytes_(most_bytes) {}

  /// Null for what is not kept.
  const Value* find(const Key& key) {
    const auto found = kept_.find(key);
    if (found == kept_.end()) return nullptr;
    found->second.asked = ++asked_;
    return &found->second.value;
  }
  /// `bytes` is what the value takes.
  const Value& add(const Key& key, Value value, size_t bytes) {
    const auto [place, is_new] = kept_.insert_or_assign(key, Entry{std::move(value), bytes, ++asked_});
    while (kept_.size() > 1 && total_bytes() > most_bytes_)
      kept_.erase(std::ranges::min_element(kept_, {}, [](const auto& one) { return one.second.asked; }));
    return place->second.value;
  }

 private:
  struct Entry {
    Value value;
    size_t bytes = 0;
    int64_t asked = 0;
  };
  size_t total_bytes() const {
    size_t total = 0;
    for (const auto& [key, entry] : kept_) total += entry.bytes;
    return total;
  }

  size_t most_bytes_;
  std::map<Key, Entry> kept_;
  int64_t asked_ = 0;
};

}  // namespace astroclip::explore
