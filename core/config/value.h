#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace astroclip::config {

/// Where a key or value stands. Lines and columns count from 1; 0 when it stands in no file (a default, --set).
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
  /// "file:line:column", or the file alone ("--set") without a line.
  std::string str() const;
};

class Value;

/// Keys in order of appearance, each with its location.
class Table {
 public:
  struct Entry;
  // Defined where Entry, which holds a Value and so perhaps a Table, is complete.
  Table();
  Table(const Table&);
  Table(Table&&) noexcept;
  Table& operator=(const Table&);
  Table& operator=(Table&&) noexcept;
  ~Table();

  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  const Entry* entry(std::string_view key) const;
  void set(std::string key, Value value, Location key_location = {});
  bool erase(std::string_view key);
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const;

 private:
  std::vector<Entry> entries_;
};

using Array = std::vector<Value>;

/// One TOML value with its location.
class Value {
 public:
  using Data = std::variant<bool, int64_t, double, std::string, Array, Table>;
  Value() = default;
  Value(Data data, Location location) : data_(std::move(data)), location_(std::move(location)) {}

  const Data& data() const { return data_; }
  Data& data() { return data_; }
  const Location& location() const { return location_; }
  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&data_);
  }
  template <class T>
  T* get_if() {
    return std::get_if<T>(&data_);
  }
  /// "a string", "an integer", "a number", "a table" …
  std::string kind() const;

 private:
  Data data_ = Table{};
  Location location_;
};

struct Table::Entry {
  std::string key;
  Location location;
  Value value;
};

}  // namespace astroclip::config
