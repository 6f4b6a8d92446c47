#include "config/value.h"

#include <fmt/format.h>

#include <algorithm>

namespace astroclip::config {

std::string Location::str() const { return line > 0 ? fmt::format("{}:{}:{}", file, line, column) : file; }

Table::Table() = default;
Table::Table(const Table&) = default;
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(const Table&) = default;
Table& Table::operator=(Table&&) noexcept = default;
Table::~Table() = default;

const Table::Entry* Table::entry(std::string_view key) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  return found == entries_.end() ? nullptr : &*found;
}

const Value* Table::find(std::string_view key) const {
  const Entry* found = entry(key);
  return found == nullptr ? nullptr : &found->value;
}

Value* Table::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

void Table::set(std::string key, Value value, Location key_location) {
  for (auto& entry : entries_) {
    if (entry.key != key) continue;
    entry.location = std::move(key_location);
    entry.value = std::move(value);
    return;
  }
  entries_.push_back({std::move(key), std::move(key_location), std::move(value)});
}

bool Table::erase(std::string_view key) {
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; }) > 0;
}

bool Table::empty() const { return entries_.empty(); }

std::string Value::kind() const {
  static constexpr const char* kinds[] = {"a boolean", "an integer", "a number", "a string", "a list", "a table"};
  return kinds[data_.index()];
}

}  // namespace astroclip::config
