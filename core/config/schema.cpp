#include "config/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "base/text.h"
#include "config/toml.h"

namespace astroclip::config {

std::string Section::says(const std::string& message) const {
  return path.empty() ? message : fmt::format("[{}] {}", path, message);
}

Section Section::inner(const std::string& key) const {
  return {path.empty() ? key : fmt::format("{}.{}", path, key), "", takes_old_keys};
}

namespace {

Value affecting_results(const Value& value, const std::vector<FieldDescription>& fields) {
  if (const auto* table = value.get_if<Table>()) return {affecting_results(*table, fields), value.location()};
  const auto* array = value.get_if<Array>();
  if (array == nullptr) return value;
  Array kept;
  for (const Value& element : *array) kept.push_back(affecting_results(element, fields));
  return {kept, value.location()};
}

}  // namespace

Table affecting_results(const Table& table, const std::vector<FieldDescription>& fields) {
  Table kept;
  for (const auto& entry : table.entries()) {
    const auto field = std::ranges::find(fields, entry.key, &FieldDescription::name);
    if (field == fields.end() || field->fields.empty()) {
      if (field == fields.end() || field->affects_results) kept.set(entry.key, entry.value, entry.location);
    } else {
      kept.set(entry.key, affecting_results(entry.value, field->fields), entry.location);
    }
  }
  return kept;
}

Constraint<std::string> one_of(const std::vector<std::string>& choices) {
  std::vector<std::string> quoted;
  for (const auto& choice : choices) quoted.push_back(fmt::format("\"{}\"", choice));
  const std::string describe = fmt::format("one of {}", fmt::join(quoted, ", "));
  return {
      describe,
      [choices](const std::string& value) { return std::find(choices.begin(), choices.end(), value) != choices.end(); },
      "not " + describe, choices};
}

Constraint<std::string> file_name() {
  constexpr size_t longest = 100;
  const auto holds = [](const std::string& name) {
    const auto is_plain = [](char c) { return c != '/' && static_cast<unsigned char>(c) >= ' ' && c != 0x7F; };
    return !name.empty() && name.size() <= longest && name[0] != '.' && std::ranges::all_of(name, is_plain);
  };
  return {"can name a file", holds, "no name for a file"};
}

namespace detail {

namespace {

/// The key that names a plugin in the table of its parameters.
constexpr const char* plugin_key = "plugin";

template <class T>
Constraint<T> make_between(T low, T high) {
  const std::string range = fmt::format("{}..{}", low, high);
  return {range, [low, high](const T& value) { return value >= low && value <= high; }, "outside " + range};
}

template <class T>
Constraint<T> make_at_least(T low) {
  return {fmt::format("at least {}", low), [low](const T& value) { return value >= low; },
          fmt::format("below {}", low)};
}

template <class T>
Constraint<T> make_above(T low) {
  return {fmt::format("above {}", low), [low](const T& value) { return value > low; },
          fmt::format("not above {}", low)};
}

bool add_wrong_type(const Value& value, const std::string& key, const std::string& wanted, const Section& section,
                    Problems& problems) {
  problems.add(value.location(), section.says(fmt::format("'{}' must be {}, found {}", key, wanted, value.kind())));
  return false;
}

template <class T>
bool read_exactly(const Value& value, const std::string& key, const std::string& wanted, const Section& section,
                  Problems& problems, T& out) {
  const T* found = value.get_if<T>();
  if (found == nullptr) return add_wrong_type(value, key, wanted, section, problems);
  out = *found;
  return true;
}

const double* as_number(const Value& value, double& storage) {
  if (const auto* integer = value.get_if<int64_t>()) {
    storage = static_cast<double>(*integer);
    return &storage;
  }
  return value.get_if<double>();
}

/// Reads a list; `element_of` gives a pointer to the element's value, or nullptr when it is of another type.
template <class T, class F>
bool read_list(const Value& value, const std::string& key, const std::string& wanted, const Section& section,
               Problems& problems, std::vector<T>& out, const F& element_of) {
  const auto* array = value.get_if<Array>();
  if (array == nullptr) return add_wrong_type(value, key, wanted, section, problems);
  bool is_sound = true;
  for (size_t i = 0; i < array->size(); ++i) {
    const Value& element = (*array)[i];
    T storage{};
    if (const T* found = element_of(element, storage)) {
      out.push_back(*found);
      continue;
    }
    const auto message = fmt::format("'{}' must be {}, found {} as element {}", key, wanted, element.kind(), i + 1);
    problems.add(element.location(), section.says(message));
    is_sound = false;
  }
  return is_sound;
}

void add_broken_constraint(const Value& value, const std::string& key, const std::string& complaint,
                           const std::string& suggestion, const Section& section, Problems& problems) {
  const auto message = fmt::format("'{}' = {} is {}{}", key, to_toml(value), complaint, suggestion);
  problems.add(value.location(), section.says(message));
}

bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, bool& out) {
  return read_exactly(value, key, "true or false", section, problems, out);
}

bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, int64_t& out) {
  return read_exactly(value, key, "an integer", section, problems, out);
}

bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, uint64_t& out) {
  int64_t integer = 0;
  if (!read(value, key, section, problems, integer)) return false;
  if (integer < 0) add_broken_constraint(value, key, "below 0", "", section, problems);
  out = static_cast<uint64_t>(integer);
  return integer >= 0;
}

bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, double& out) {
  double storage = 0;
  const double* found = as_number(value, storage);
  if (found == nullptr) return add_wrong_type(value, key, "a number", section, problems);
  out = *found;
  return true;
}

bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, std::string& out) {
  return read_exactly(value, key, "a string", section, problems, out);
}

bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<int64_t>& out) {
  return read_list(value, key, "a list of integers", section, problems, out,
                   [](const Value& element, int64_t&) { return element.get_if<int64_t>(); });
}

bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<double>& out) {
  return read_list(value, key, "a list of numbers", section, problems, out, as_number);
}

bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<std::string>& out) {
  return read_list(value, key, "a list of strings", section, problems, out,
                   [](const Value& element, std::string&) { return element.get_if<std::string>(); });
}

bool read(const Value& value, const std::string&, const Section&, Problems&, Value& out) {
  out = value;
  return true;
}

Value write(bool value) { return {value, {}}; }
Value write(int64_t value) { return {value, {}}; }
Value write(uint64_t value) { return {static_cast<int64_t>(value), {}}; }
Value write(double value) { return {value, {}}; }
Value write(const std::string& value) { return {value, {}}; }
template <class T>
Value write_list(const std::vector<T>& values) {
  Array array;
  for (const auto& value : values) array.push_back(write(value));
  return {array, {}};
}

Value write(const std::vector<int64_t>& values) { return write_list(values); }
Value write(const std::vector<double>& values) { return write_list(values); }
Value write(const std::vector<std::string>& values) { return write_list(values); }
Value write(const Value& value) { return value; }

std::string type_name(const bool*) { return "boolean"; }
std::string type_name(const int64_t*) { return "integer"; }
std::string type_name(const uint64_t*) { return "integer"; }
std::string type_name(const double*) { return "number"; }
std::string type_name(const std::string*) { return "string"; }
std::string type_name(const std::vector<int64_t>*) { return "list of integers"; }
std::string type_name(const std::vector<double>*) { return "list of numbers"; }
std::string type_name(const std::vector<std::string>*) { return "list of strings"; }
std::string type_name(const Value*) { return "table"; }

void add_unknown_key(const Table::Entry& entry, const std::vector<std::string>& names, const Section& section,
                     Problems& problems) {
  const std::string owner =
      section.plugin.empty() ? "unknown key" : fmt::format("plugin '{}' has no parameter", section.plugin);
  const auto message = fmt::format("{} '{}'{}", owner, entry.key, suggestion(entry.key, names));
  problems.add(entry.location, section.says(message));
}

void add_renamed_key(const Table::Entry& entry, const std::string& new_name, const Section& section,
                     Problems& problems) {
  problems.add(entry.location, section.says(fmt::format("'{}' is now called '{}'", entry.key, new_name)));
}

void add_missing_key(const FieldDescription& field, const Section& section, const Location& place, Problems& problems) {
  problems.add(place, section.says(fmt::format("'{}' is missing ({}: {})", field.name, field.type, field.meaning)));
}

const Table* read_section(const Value& value, const std::string& key, const Section& section, Problems& problems) {
  const auto* table = value.get_if<Table>();
  if (table == nullptr) add_wrong_type(value, key, "a table", section, problems);
  return table;
}

Array read_tables(const Value& value, const std::string& key, const Section& section, Problems& problems) {
  Array tables;
  const auto* array = value.get_if<Array>();
  if (array == nullptr) add_wrong_type(value, key, "an array of tables", section, problems);
  for (const Value& element : array == nullptr ? Array() : *array) {
    if (element.get_if<Table>() != nullptr) {
      tables.push_back(element);
    } else {
      add_wrong_type(element, key, "an array of tables", section, problems);
    }
  }
  return tables;
}

Section element_section(const Table& element, const std::string& key, const Section& section) {
  const Value* name = element.find("name");
  const auto* text = name == nullptr ? nullptr : name->get_if<std::string>();
  return text == nullptr ? section.inner(key) : section.inner(key).inner(*text);
}

Table with_new_keys(const Table& table, const std::vector<std::pair<std::string, std::string>>& renamed) {
  Table read;
  for (const auto& entry : table.entries()) {
    const auto old = std::ranges::find(renamed, entry.key, &std::pair<std::string, std::string>::first);
    read.set(old == renamed.end() ? entry.key : old->second, entry.value, entry.location);
  }
  return read;
}

}  // namespace

Constraint<int64_t> between(int64_t low, int64_t high) { return make_between(low, high); }
Constraint<double> between(double low, double high) { return make_between(low, high); }
Constraint<int64_t> at_least(int64_t low) { return make_at_least(low); }
Constraint<double> at_least(double low) { return make_at_least(low); }
Constraint<int64_t> above(int64_t low) { return make_above(low); }
Constraint<double> above(double low) { return make_above(low); }

template <class T>
void Fields::add(std::string name, Access<T> access, std::string meaning, Constraint<T> constraint, bool is_required) {
  const auto read_checked = [=](void* p, const Value& value, const Section& where, Problems& problems) {
    T found{};
    if (!read(value, name, where, problems, found)) return;
    if (constraint.holds && !constraint.holds(found)) {
      std::string hint;
      if constexpr (std::is_same_v<T, std::string>) hint = suggestion(found, constraint.choices);
      const auto complaint = constraint.complaint.empty() ? "not " + constraint.describe : constraint.complaint;
      add_broken_constraint(value, name, complaint, hint, where, problems);
      return;
    }
    access.set(p, std::move(found));
  };
  const auto describe = [=](const void* start) {
    const std::string fallback = is_required ? "" : to_toml(detail::write(access.get(start)));
    return FieldDescription{name, type_name(static_cast<const T*>(nullptr)), fallback, constraint.describe, meaning,
                            {}};
  };
  fields_.push_back(
      {name, is_required, read_checked, [access](const void* p) { return detail::write(access.get(p)); }, describe});
}

template void Fields::add(std::string, Access<bool>, std::string, Constraint<bool>, bool);
template void Fields::add(std::string, Access<int64_t>, std::string, Constraint<int64_t>, bool);
template void Fields::add(std::string, Access<uint64_t>, std::string, Constraint<uint64_t>, bool);
template void Fields::add(std::string, Access<double>, std::string, Constraint<double>, bool);
template void Fields::add(std::string, Access<std::string>, std::string, Constraint<std::string>, bool);
template void Fields::add(std::string, Access<std::vector<int64_t>>, std::string, Constraint<std::vector<int64_t>>,
                          bool);
template void Fields::add(std::string, Access<std::vector<double>>, std::string, Constraint<std::vector<double>>, bool);
template void Fields::add(std::string, Access<std::vector<std::string>>, std::string,
                          Constraint<std::vector<std::string>>, bool);
template void Fields::add(std::string, Access<Value>, std::string, Constraint<Value>, bool);

void Fields::add_table(std::string name, std::function<void*(void*)> member, TableAccess table, std::string meaning,
                       bool is_required) {
  const auto const_member = [member](const void* p) -> const void* { return member(const_cast<void*>(p)); };
  fields_.push_back({name, is_required,
                     [=](void* p, const Value& value, const Section& where, Problems& problems) {
                       if (!read_section(value, name, where, problems)) return;
                       table.read(member(p), value, where.inner(name), problems);
                     },
                     [=](const void* p) { return Value(table.write(const_member(p)), {}); },
                     [=](const void* start) {
                       return FieldDescription{name, table.noun, "", "", meaning, table.describe(const_member(start))};
                     }});
}

void Fields::add_list(std::string name, ListAccess list, TableAccess table, std::string meaning) {
  const auto write_all = [=](const void* p) {
    Array array;
    for (size_t i = 0; i < list.size(p); ++i) array.emplace_back(table.write(list.element(p, i)), Location{});
    return Value(array, {});
  };
  fields_.push_back({name, false,
                     [=](void* p, const Value& value, const Section& where, Problems& problems) {
                       list.clear(p);
                       for (const Value& element : read_tables(value, name, where, problems)) {
                         const Section own = element_section(*element.get_if<Table>(), name, where);
                         table.read(list.append(p, ""), element, own, problems);
                       }
                     },
                     write_all,
                     [=](const void* start) {
                       return FieldDescription{
                           name,    fmt::format("list of {}s", table.noun), to_toml(write_all(start)), "",
                           meaning, table.describe(table.start.get())};
                     }});
}

void Fields::add_named(std::string name, ListAccess list, TableAccess table, std::string meaning, bool is_required) {
  const auto describe = [=](const void*) {
    return FieldDescription{name,    fmt::format("table of {}s", table.noun), is_required ? "" : "{}", "",
                            meaning, table.describe(table.start.get())};
  };
  fields_.push_back({name, is_required,
                     [=](void* p, const Value& value, const Section& where, Problems& problems) {
                       const Table* tables = read_section(value, name, where, problems);
                       if (tables == nullptr) return;
                       list.clear(p);
                       for (const auto& entry : tables->entries()) {
                         if (!read_section(entry.value, entry.key, where.inner(name), problems)) continue;
                         table.read(list.append(p, entry.key), entry.value, where.inner(name).inner(entry.key),
                                    problems);
                       }
                       if (is_required && tables->empty()) {
                         add_missing_key(describe(p), where, value.location(), problems);
                       }
                     },
                     [=](const void* p) {
                       Table tables;
                       for (size_t i = 0; i < list.size(p); ++i) {
                         tables.set(list.key(p, i), Value(table.write(list.element(p, i)), {}));
                       }
                       return Value(tables, {});
                     },
                     describe});
}

void Fields::add_pairs(std::string name, ListAccess list, std::string meaning) {
  fields_.push_back({name, false,
                     [=](void* p, const Value& value, const Section& where, Problems& problems) {
                       const Table* table = read_section(value, name, where, problems);
                       if (table == nullptr) return;
                       list.clear(p);
                       for (const auto& entry : table->entries()) {
                         auto& text = *static_cast<std::string*>(list.append(p, entry.key));
                         read(entry.value, entry.key, where.inner(name), problems, text);
                       }
                     },
                     [=](const void* p) {
                       Table table;
                       for (size_t i = 0; i < list.size(p); ++i) {
                         const auto& text = *static_cast<const std::string*>(list.element(p, i));
                         table.set(list.key(p, i), detail::write(text));
                       }
                       return Value(table, {});
                     },
                     [=](const void*) { return FieldDescription{name, "table of strings", "{}", "", meaning, {}}; }});
}

void Fields::add_renamed(std::string old_name, std::string new_name) {
  renamed_.emplace_back(std::move(old_name), std::move(new_name));
}

void Fields::add_removed(std::string name, std::string instead) {
  removed_.emplace_back(std::move(name), std::move(instead));
}

void Fields::parse(void* parameters, const Table& given, const Section& where, const Location& place,
                   Problems& problems) const {
  const size_t before = problems.size();
  const Table table = where.takes_old_keys ? with_new_keys(given, renamed_) : given;
  const auto has_old_key = [&](const std::string& name) {
    return std::ranges::any_of(renamed_, [&](const auto& r) { return r.second == name && table.find(r.first); });
  };
  std::vector<std::string> known;
  for (const auto& field : fields_) {
    known.push_back(field.name);
    if (const Value* value = table.find(field.name)) {
      field.read(parameters, *value, where, problems);
    } else if (field.is_required && !has_old_key(field.name)) {
      add_missing_key(field.describe(parameters), where, place, problems);
    }
  }
  for (const auto& entry : table.entries()) {
    const bool names_plugin = entry.key == plugin_key && !where.plugin.empty();
    if (names_plugin || std::ranges::find(known, entry.key) != known.end()) continue;
    const auto old = std::ranges::find(renamed_, entry.key, &std::pair<std::string, std::string>::first);
    const auto gone = std::ranges::find(removed_, entry.key, &std::pair<std::string, std::string>::first);
    if (old != renamed_.end()) {
      add_renamed_key(entry, old->second, where, problems);
    } else if (gone == removed_.end()) {
      add_unknown_key(entry, known, where, problems);
    } else if (!where.takes_old_keys) {
      problems.add(entry.location, where.says(fmt::format("'{}' is no key any more: {}", entry.key, gone->second)));
    }
  }
  if (problems.size() > before) return;
  for (const auto& rule : checks_) {
    const std::string message = rule(parameters);
    if (!message.empty()) problems.add(place, where.says(message));
  }
}

Table Fields::dump(const void* parameters) const {
  Table table;
  for (const auto& field : fields_) table.set(field.name, field.write(parameters));
  return table;
}

std::vector<FieldDescription> Fields::describe(const void* start) const {
  std::vector<FieldDescription> descriptions;
  for (const auto& field : fields_) {
    descriptions.push_back(field.describe(start));
    descriptions.back().affects_results = field.affects_results;
  }
  return descriptions;
}

}  // namespace detail

}  // namespace astroclip::config
