#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

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

/// An Error that lists problems, each a line of its own that begins with its place.
class __attribute__((visibility("default"))) ProblemList : public Error {
 public:
  using Error::Error;
};

/// All problems of a configuration, collected and thrown together.
class Problems {
 public:
  /// "file:line:column: error: message"
  void add(const Location& location, const std::string& message);
  void append(const Problems& other);
  bool empty() const { return problems_.empty(); }
  /// Sorted by place: files in the order they were first mentioned, then line and column.
  std::vector<std::string> messages() const;
  /// Throws one ProblemList with every message on a line of its own when there is any.
  void throw_if_any() const;

 private:
  struct Problem {
    Location location;
    std::string message;
  };
  std::vector<Problem> problems_;
};

/// Reads a TOML file. Throws Error with file:line:column on a syntax error, and when the file cannot be read.
Table parse_file(const std::string& path);
/// The same with overrides applied, as apply_override does each.
Table parse_file(const std::string& path, const std::vector<std::string>& assignments);
/// The same for text; `name` stands for the file in locations.
Table parse_text(std::string_view text, const std::string& name);
/// TOML text that parses to an equal table.
std::string to_toml(const Table& table);
/// One value on one line, as it stands behind "key = ".
std::string to_toml(const Value& value);
/// Applies `path.to.key=value` (a TOML value, or a bare string when it is none). A path element that names an
/// element of an array of tables is matched by the element's `name` (or `plugin`), or by its index from 0. A missing
/// table on the way is made, unless a near name suggests a slip. Throws Error when the path leads nowhere. What is
/// set has the location "origin assignment".
void apply_override(Table& table, std::string_view assignment, std::string_view origin = "--set");
/// The same with a value that is there already and keeps its locations; `key` is where the path stands, and `origin`
/// begins the Error.
void assign(Table& table, std::string_view path, Value value, const Location& key, const std::string& origin);
/// The candidate nearest to `word` by edit distance when it is near enough to be meant, else "".
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace astroclip::config
