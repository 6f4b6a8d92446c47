#pragma once

// The templates of schema.h; what does not depend on the struct stands in schema.cpp.
#include <algorithm>
#include <memory>

#include "base/text.h"
#include "config/schema.h"

namespace astroclip::config {

namespace detail {

/// Each reads one supported type, or adds a problem ("'dim' must be an integer, found a string") and gives false.
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, bool& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, int64_t& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, uint64_t& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, double& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, std::string& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<int64_t>& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<double>& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<std::string>& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, Value& out);

Value write(bool value);
Value write(int64_t value);
Value write(uint64_t value);
Value write(double value);
Value write(const std::string& value);
Value write(const std::vector<int64_t>& values);
Value write(const std::vector<double>& values);
Value write(const std::vector<std::string>& values);
Value write(const Value& value);

/// "integer", "list of strings" …
std::string type_name(const bool*);
std::string type_name(const int64_t*);
std::string type_name(const uint64_t*);
std::string type_name(const double*);
std::string type_name(const std::string*);
std::string type_name(const std::vector<int64_t>*);
std::string type_name(const std::vector<double>*);
std::string type_name(const std::vector<std::string>*);
std::string type_name(const Value*);

/// A default as `describe` prints it.
std::string text_of(const Value& value);
void add_unknown_key(const Table::Entry& entry, const std::vector<std::string>& names, const Section& section,
                     Problems& problems);
void add_renamed_key(const Table::Entry& entry, const std::string& new_name, const Section& section,
                     Problems& problems);
void add_missing_key(const FieldDescription& field, const Section& section, const Location& place, Problems& problems);
void add_broken_constraint(const Value& value, const std::string& key, const std::string& complaint,
                           const std::string& suggestion, const Section& section, Problems& problems);
/// The table of a section, or a problem and nullptr.
const Table* read_section(const Value& value, const std::string& key, const Section& section, Problems& problems);
/// The tables of an array of tables; a problem for each element that is none, and for what is no array.
Array read_tables(const Value& value, const std::string& key, const Section& section, Problems& problems);
/// Which of an array's tables: "stages.alignment" where it has a name, else "stages".
Section element_section(const Table& element, const std::string& key, const Section& section);
/// The table with its old keys renamed.
Table with_new_keys(const Table& table, const std::vector<std::pair<std::string, std::string>>& renamed);
/// The key that names a plugin in the table of its parameters.
inline constexpr const char* plugin_key = "plugin";

template <class T>
std::string suggest(const T& value, const Constraint<T>& constraint) {
  if constexpr (std::is_same_v<T, std::string>) return suggestion(value, constraint.choices);
  return "";
}

/// The names of choices as the constraint of the string that stands for one.
template <class T>
Constraint<std::string> names_of(const Choices<T>& choices) {
  std::vector<std::string> names;
  for (const auto& [name, value] : choices) names.push_back(name);
  return one_of(names);
}

template <class T>
const T& choice_of(const std::string& name, const Choices<T>& choices) {
  return std::ranges::find(choices, name, &std::pair<std::string, T>::first)->second;
}

template <class T>
const std::string& name_of(const T& value, const Choices<T>& choices) {
  return std::ranges::find(choices, value, &std::pair<std::string, T>::second)->first;
}

/// Reads a value and checks it; false when a problem was added.
template <class T>
bool read_checked(const Value& value, const std::string& key, const Constraint<T>& constraint, const Section& where,
                  Problems& problems, T& out) {
  if (!read(value, key, where, problems, out)) return false;
  if (!constraint.holds || constraint.holds(out)) return true;
  const auto complaint = constraint.complaint.empty() ? "not " + constraint.describe : constraint.complaint;
  add_broken_constraint(value, key, complaint, suggest(out, constraint), where, problems);
  return false;
}

}  // namespace detail

template <class T>
Constraint<std::vector<T>> each(Constraint<T> element) {
  const std::string complaint = element.complaint.empty() ? "not " + element.describe : element.complaint;
  return {"each " + element.describe,
          [element](const std::vector<T>& values) { return std::ranges::all_of(values, element.holds); }, complaint};
}

template <class P>
template <class T>
Schema<P>& Schema<P>::add(std::string name, T P::*member, std::string meaning, Constraint<T> constraint,
                          bool is_required) {
  Field field;
  field.name = name;
  field.is_required = is_required;
  field.read = [name, member, constraint](P& out, const Value& value, const Section& where, Problems& problems) {
    T read{};
    if (!detail::read_checked(value, name, constraint, where, problems, read)) return false;
    out.*member = std::move(read);
    return true;
  };
  field.write = [member](const P& parameters) { return detail::write(parameters.*member); };
  field.describe = [name, member, meaning, constraint, is_required](const P& start) {
    const std::string fallback = is_required ? "" : detail::text_of(detail::write(start.*member));
    return FieldDescription{
        name, detail::type_name(static_cast<const T*>(nullptr)), fallback, constraint.describe, meaning, {}};
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <class T, BaseOf<P> B>
Schema<P>& Schema<P>::field(std::string name, T B::*member, std::string meaning,
                            std::type_identity_t<Constraint<T>> constraint) {
  return add<T>(std::move(name), static_cast<T P::*>(member), std::move(meaning), std::move(constraint), false);
}

template <class P>
template <class T, BaseOf<P> B>
Schema<P>& Schema<P>::required(std::string name, T B::*member, std::string meaning,
                               std::type_identity_t<Constraint<T>> constraint) {
  return add<T>(std::move(name), static_cast<T P::*>(member), std::move(meaning), std::move(constraint), true);
}

template <class P>
template <class T, BaseOf<P> B>
Schema<P>& Schema<P>::choice(std::string name, T B::*member, std::string meaning,
                             std::type_identity_t<Choices<T>> choices) {
  const auto names = detail::names_of(choices);
  Field field;
  field.name = name;
  field.read = [=](P& out, const Value& value, const Section& where, Problems& problems) {
    std::string text;
    if (!detail::read_checked(value, name, names, where, problems, text)) return false;
    out.*member = detail::choice_of(text, choices);
    return true;
  };
  field.write = [=](const P& p) { return detail::write(detail::name_of(p.*member, choices)); };
  field.describe = [=, write = field.write](const P& start) {
    return FieldDescription{name, "string", detail::text_of(write(start)), names.describe, meaning, {}};
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <class T, BaseOf<P> B>
Schema<P>& Schema<P>::choices(std::string name, std::vector<T> B::*member, std::string meaning,
                              std::type_identity_t<Choices<T>> choices) {
  const auto names = each(detail::names_of(choices));
  Field field;
  field.name = name;
  field.read = [=](P& out, const Value& value, const Section& where, Problems& problems) {
    std::vector<std::string> texts;
    if (!detail::read_checked(value, name, names, where, problems, texts)) return false;
    (out.*member).clear();
    for (const std::string& text : texts) (out.*member).push_back(detail::choice_of(text, choices));
    return true;
  };
  field.write = [=](const P& p) {
    std::vector<std::string> texts;
    for (const T& value : p.*member) texts.push_back(detail::name_of(value, choices));
    return detail::write(texts);
  };
  field.describe = [=, write = field.write](const P& start) {
    return FieldDescription{name, "list of strings", detail::text_of(write(start)), names.describe, meaning, {}};
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <class S, BaseOf<P> B>
Schema<P>& Schema<P>::section(std::string name, S B::*member, std::string meaning, const Schema<S>& schema) {
  const auto shared = std::make_shared<const Schema<S>>(schema);
  Field field;
  field.name = name;
  field.read = [=](P& out, const Value& value, const Section& where, Problems& problems) {
    const Table* table = detail::read_section(value, name, where, problems);
    if (table == nullptr) return false;
    Problems inside;
    out.*member = shared->parse(*table, where.inner(name), value.location(), inside, out.*member);
    problems.append(inside);
    return inside.empty();
  };
  field.write = [=](const P& parameters) { return Value(shared->dump(parameters.*member), {}); };
  field.describe = [=](const P& start) {
    return FieldDescription{name, "section", "", "", meaning, shared->describe(start.*member)};
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
Schema<P>& Schema<P>::section(std::string name, std::string meaning, const Schema& schema) {
  const auto shared = std::make_shared<const Schema>(schema);
  Field field;
  field.name = name;
  field.read = [=](P& out, const Value& value, const Section& where, Problems& problems) {
    const Table* table = detail::read_section(value, name, where, problems);
    if (table == nullptr) return false;
    Problems inside;
    out = shared->parse(*table, where.inner(name), value.location(), inside, out);
    problems.append(inside);
    return inside.empty();
  };
  field.write = [=](const P& parameters) { return Value(shared->dump(parameters), {}); };
  field.describe = [=](const P& start) {
    return FieldDescription{name, "section", "", "", meaning, shared->describe(start)};
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <class S, BaseOf<P> B>
Schema<P>& Schema<P>::tables(std::string name, std::vector<S> B::*member, std::string meaning,
                             const Schema<S>& schema) {
  const auto shared = std::make_shared<const Schema<S>>(schema);
  Field field;
  field.name = name;
  field.read = [=](P& out, const Value& value, const Section& where, Problems& problems) {
    Problems inside;
    (out.*member).clear();
    for (const Value& element : detail::read_tables(value, name, where, inside)) {
      const Table& table = *element.get_if<Table>();
      const Section own = detail::element_section(table, name, where);
      (out.*member).push_back(shared->parse(table, own, element.location(), inside));
    }
    problems.append(inside);
    return inside.empty();
  };
  field.write = [=](const P& parameters) {
    Array array;
    for (const S& element : parameters.*member) array.emplace_back(shared->dump(element), Location{});
    return Value(array, {});
  };
  field.describe = [=](const P&) {
    return FieldDescription{name, "list of sections", "[]", "", meaning, shared->describe()};
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <class S, BaseOf<P> B>
Schema<P>& Schema<P>::named_sections(std::string name, std::vector<std::pair<std::string, S>> B::*member,
                                     std::string meaning, const Schema<S>& schema) {
  const auto shared = std::make_shared<const Schema<S>>(schema);
  Field field;
  field.name = name;
  field.read = [=](P& out, const Value& value, const Section& where, Problems& problems) {
    const Table* table = detail::read_section(value, name, where, problems);
    if (table == nullptr) return false;
    Problems inside;
    (out.*member).clear();
    for (const auto& entry : table->entries()) {
      const Table* own = detail::read_section(entry.value, entry.key, where.inner(name), inside);
      if (own == nullptr) continue;
      const Section section = where.inner(name).inner(entry.key);
      (out.*member).emplace_back(entry.key, shared->parse(*own, section, entry.value.location(), inside));
    }
    problems.append(inside);
    return inside.empty();
  };
  field.write = [=](const P& parameters) {
    Table table;
    for (const auto& [key, section] : parameters.*member) table.set(key, Value(shared->dump(section), {}));
    return Value(table, {});
  };
  field.describe = [=](const P&) {
    return FieldDescription{name, "table of sections", "{}", "", meaning, shared->describe()};
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <class E, BaseOf<P> B>
Schema<P>& Schema<P>::pairs(std::string name, std::vector<E> B::*member, std::string E::*key, std::string E::*value,
                            std::string meaning) {
  Field field;
  field.name = name;
  field.read = [=](P& out, const Value& given, const Section& where, Problems& problems) {
    const Table* table = detail::read_section(given, name, where, problems);
    if (table == nullptr) return false;
    (out.*member).clear();
    bool is_sound = true;
    for (const auto& entry : table->entries()) {
      E element;
      element.*key = entry.key;
      is_sound = detail::read(entry.value, entry.key, where.inner(name), problems, element.*value) && is_sound;
      (out.*member).push_back(std::move(element));
    }
    return is_sound;
  };
  field.write = [=](const P& parameters) {
    Table table;
    for (const E& element : parameters.*member) table.set(element.*key, detail::write(element.*value));
    return Value(table, {});
  };
  field.describe = [=](const P&) { return FieldDescription{name, "table of strings", "{}", "", meaning, {}}; };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <PluginField S, BaseOf<P> B>
Schema<P>& Schema<P>::plugin(std::string name, S B::*member, std::string meaning) {
  Field field;
  field.name = name;
  field.is_required = true;
  field.read = [=](P& out, const Value& value, const Section& where, Problems& problems) {
    Problems inside;
    out.*member = S::read(value, where.inner(name), inside);
    problems.append(inside);
    return inside.empty();
  };
  field.write = [=](const P& parameters) { return Value((parameters.*member).parameters, {}); };
  field.describe = [=](const P&) { return FieldDescription{name, "plugin", "", "", meaning, {}}; };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <PluginField S, BaseOf<P> B>
Schema<P>& Schema<P>::plugins(std::string name, std::vector<S> B::*member, std::string meaning) {
  Field field;
  field.name = name;
  field.read = [=](P& out, const Value& value, const Section& where, Problems& problems) {
    Problems inside;
    (out.*member).clear();
    for (const Value& element : detail::read_tables(value, name, where, inside)) {
      (out.*member).push_back(S::read(element, where.inner(name), inside));
    }
    problems.append(inside);
    return inside.empty();
  };
  field.write = [=](const P& parameters) {
    Array array;
    for (const S& spec : parameters.*member) array.emplace_back(spec.parameters, Location{});
    return Value(array, {});
  };
  field.describe = [=](const P&) { return FieldDescription{name, "list of plugins", "[]", "", meaning, {}}; };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
template <class E, PluginField S, BaseOf<P> B>
Schema<P>& Schema<P>::named_plugins(std::string name, std::vector<E> B::*member, std::string E::*key, S E::*plugin,
                                    std::string meaning) {
  Field field;
  field.name = name;
  field.is_required = true;
  field.describe = [=](const P&) { return FieldDescription{name, "table of plugins", "", "", meaning, {}}; };
  field.read = [=, describe = field.describe](P& out, const Value& value, const Section& where, Problems& problems) {
    const Table* table = detail::read_section(value, name, where, problems);
    if (table == nullptr) return false;
    Problems inside;
    (out.*member).clear();
    for (const auto& entry : table->entries()) {
      E element;
      element.*key = entry.key;
      element.*plugin = S::read(entry.value, where.inner(name).inner(entry.key), inside);
      (out.*member).push_back(std::move(element));
    }
    if (table->empty()) detail::add_missing_key(describe(out), where, value.location(), inside);
    problems.append(inside);
    return inside.empty();
  };
  field.write = [=](const P& parameters) {
    Table table;
    for (const E& element : parameters.*member) table.set(element.*key, Value((element.*plugin).parameters, {}));
    return Value(table, {});
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
Schema<P>& Schema<P>::no_effect_on_results() {
  fields_.back().affects_results = false;
  return *this;
}

template <class P>
Schema<P>& Schema<P>::renamed(std::string old_name, std::string new_name) {
  renamed_.emplace_back(std::move(old_name), std::move(new_name));
  return *this;
}

template <class P>
Schema<P>& Schema<P>::check(std::function<std::string(const P&)> rule) {
  checks_.push_back(std::move(rule));
  return *this;
}

template <class P>
Schema<P>& Schema<P>::example(std::string toml) {
  example_ = std::move(toml);
  if (example_.starts_with('\n')) example_.erase(0, 1);
  return *this;
}

template <class P>
std::vector<std::string> Schema<P>::names() const {
  std::vector<std::string> names;
  for (const auto& field : fields_) names.push_back(field.name);
  return names;
}

template <class P>
P Schema<P>::parse(const Table& given, const Section& where, const Location& place, Problems& problems,
                   const P& start) const {
  const Table table = where.takes_old_keys ? detail::with_new_keys(given, renamed_) : given;
  const auto has_old_key = [&](const std::string& name) {
    return std::ranges::any_of(renamed_, [&](const auto& r) { return r.second == name && table.find(r.first); });
  };
  P parameters = start;
  bool is_sound = true;
  for (const auto& field : fields_) {
    if (const Value* value = table.find(field.name)) {
      is_sound = field.read(parameters, *value, where, problems) && is_sound;
    } else if (field.is_required && !has_old_key(field.name)) {
      detail::add_missing_key(field.describe(start), where, place, problems);
      is_sound = false;
    }
  }
  const auto known = names();
  for (const auto& entry : table.entries()) {
    const bool names_plugin = entry.key == detail::plugin_key && !where.plugin.empty();
    if (names_plugin || std::ranges::find(known, entry.key) != known.end()) continue;
    const auto old = std::ranges::find(renamed_, entry.key, &std::pair<std::string, std::string>::first);
    if (old != renamed_.end()) {
      detail::add_renamed_key(entry, old->second, where, problems);
    } else {
      detail::add_unknown_key(entry, known, where, problems);
    }
    is_sound = false;
  }
  if (!is_sound) return parameters;
  for (const auto& rule : checks_) {
    const std::string message = rule(parameters);
    if (!message.empty()) problems.add(place, where.says(message));
  }
  return parameters;
}

template <class P>
Table Schema<P>::dump(const P& parameters) const {
  Table table;
  for (const auto& field : fields_) table.set(field.name, field.write(parameters));
  return table;
}

template <class P>
std::vector<FieldDescription> Schema<P>::describe(const P& start) const {
  std::vector<FieldDescription> descriptions;
  for (const auto& field : fields_) {
    descriptions.push_back(field.describe(start));
    descriptions.back().affects_results = field.affects_results;
  }
  return descriptions;
}

}  // namespace astroclip::config
