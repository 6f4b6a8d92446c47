#pragma once

// The templates of schema.h; what does not depend on the struct stands in schema.cpp.
#include <algorithm>
#include <memory>

#include "config/schema.h"

namespace astroclip::config {

namespace detail {

/// `where` taken apart: "encoders.image (plugin 'vit')".
struct Section {
  explicit Section(const std::string& where);
  /// "[encoders.image] message", or the message alone for a whole file.
  std::string says(const std::string& message) const;

  std::string path;
  std::string plugin;
};

/// Each reads one supported type, or adds a problem ("'dim' must be an integer, found a string") and gives false.
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, bool& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, int64_t& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, double& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, std::string& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<int64_t>& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<double>& out);
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems,
          std::vector<std::string>& out);
/// Any value, kept as it stands for a schema of its own.
bool read(const Value& value, const std::string& key, const Section& section, Problems& problems, Value& out);

Value write(bool value);
Value write(int64_t value);
Value write(double value);
Value write(const std::string& value);
Value write(const std::vector<int64_t>& values);
Value write(const std::vector<double>& values);
Value write(const std::vector<std::string>& values);
Value write(const Value& value);

/// "integer", "list of strings" …
std::string type_name(const bool*);
std::string type_name(const int64_t*);
std::string type_name(const double*);
std::string type_name(const std::string*);
std::string type_name(const std::vector<int64_t>*);
std::string type_name(const std::vector<double>*);
std::string type_name(const std::vector<std::string>*);
std::string type_name(const Value*);

void add_unknown_key(const Table::Entry& entry, const std::vector<std::string>& names, const Section& section,
                     Problems& problems);
void add_missing_key(const FieldDescription& field, const Section& section, const Location& place, Problems& problems);
/// `suggestion` may be "".
void add_broken_constraint(const Value& value, const std::string& key, const std::string& complaint,
                           const std::string& suggestion, const Section& section, Problems& problems);
/// The table of a section, or a problem and nullptr.
const Table* read_section(const Value& value, const std::string& key, const Section& section, Problems& problems);
/// The tables of an array of tables; a problem for each element that is none, and for what is no array.
Array read_tables(const Value& value, const std::string& key, const Section& section, Problems& problems);
/// The section `key` inside `where`.
std::string inner(const std::string& where, const std::string& key);
/// The key every plugin's table has beside its parameters.
inline constexpr const char* plugin_key = "plugin";

template <class T>
std::string suggest(const T& value, const Constraint<T>& constraint) {
  if constexpr (std::is_same_v<T, std::string>) return nearest(value, constraint.choices);
  return "";
}

}  // namespace detail

template <class T>
Constraint<std::vector<T>> each(Constraint<T> element) {
  const std::string complaint = element.complaint.empty() ? "not " + element.describe : element.complaint;
  return {"each " + element.describe,
          [element](const std::vector<T>& values) {
            for (const auto& value : values)
              if (!element.holds(value)) return false;
            return true;
          },
          complaint};
}

template <class P>
template <class T>
Schema<P>& Schema<P>::add(std::string name, T P::*member, std::string meaning, Constraint<T> constraint,
                          bool is_required) {
  Field field;
  field.name = name;
  field.is_required = is_required;
  field.read = [name, member, constraint](P& out, const Value& value, const std::string& where, Problems& problems) {
    const detail::Section section(where);
    T read{};
    if (!detail::read(value, name, section, problems, read)) return false;
    if (constraint.holds && !constraint.holds(read)) {
      const auto complaint = constraint.complaint.empty() ? "not " + constraint.describe : constraint.complaint;
      detail::add_broken_constraint(value, name, complaint, detail::suggest(read, constraint), section, problems);
      return false;
    }
    out.*member = std::move(read);
    return true;
  };
  field.write = [member](const P& parameters) { return detail::write(parameters.*member); };
  field.describe = [name, member, meaning, constraint, is_required](const P& start) {
    const std::string fallback = is_required ? "" : to_toml(detail::write(start.*member));
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
template <class S, BaseOf<P> B>
Schema<P>& Schema<P>::section(std::string name, S B::*member, std::string meaning, const Schema<S>& schema) {
  const auto shared = std::make_shared<const Schema<S>>(schema);
  Field field;
  field.name = name;
  field.read = [name, member, shared](P& out, const Value& value, const std::string& where, Problems& problems) {
    const Table* table = detail::read_section(value, name, detail::Section(where), problems);
    if (table == nullptr) return false;
    Problems inside;
    out.*member = shared->parse(*table, detail::inner(where, name), value.location(), inside, out.*member);
    problems.append(inside);
    return inside.empty();
  };
  field.write = [member, shared](const P& parameters) { return Value(shared->dump(parameters.*member), {}); };
  field.describe = [name, member, meaning, shared](const P& start) {
    return FieldDescription{name, "section", "", "", meaning, shared->describe(start.*member)};
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
  field.read = [name, member, shared](P& out, const Value& value, const std::string& where, Problems& problems) {
    Problems inside;
    (out.*member).clear();
    for (const Value& element : detail::read_tables(value, name, detail::Section(where), inside)) {
      const Table& table = *element.get_if<Table>();
      (out.*member).push_back(shared->parse(table, detail::inner(where, name), element.location(), inside));
    }
    problems.append(inside);
    return inside.empty();
  };
  field.write = [member, shared](const P& parameters) {
    Array array;
    for (const S& element : parameters.*member) array.emplace_back(shared->dump(element), Location{});
    return Value(array, {});
  };
  field.describe = [name, meaning, shared](const P&) {
    return FieldDescription{name, "list of sections", "[]", "", meaning, shared->describe()};
  };
  fields_.push_back(std::move(field));
  return *this;
}

template <class P>
Schema<P>& Schema<P>::check(std::function<std::string(const P&)> rule) {
  checks_.push_back(std::move(rule));
  return *this;
}

template <class P>
std::vector<std::string> Schema<P>::names() const {
  std::vector<std::string> names;
  for (const auto& field : fields_) names.push_back(field.name);
  return names;
}

template <class P>
P Schema<P>::parse(const Table& table, const std::string& where, const Location& place, Problems& problems,
                   const P& start) const {
  P parameters = start;
  const detail::Section section(where);
  bool is_sound = true;
  for (const auto& field : fields_) {
    if (const Value* value = table.find(field.name)) {
      is_sound = field.read(parameters, *value, where, problems) && is_sound;
    } else if (field.is_required) {
      detail::add_missing_key(field.describe(start), section, place, problems);
      is_sound = false;
    }
  }
  const auto known = names();
  for (const auto& entry : table.entries()) {
    if (entry.key == detail::plugin_key || std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    detail::add_unknown_key(entry, known, section, problems);
    is_sound = false;
  }
  if (!is_sound) return parameters;
  for (const auto& rule : checks_) {
    const std::string message = rule(parameters);
    if (!message.empty()) problems.add(place, section.says(message));
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
  for (const auto& field : fields_) descriptions.push_back(field.describe(start));
  return descriptions;
}

}  // namespace astroclip::config
