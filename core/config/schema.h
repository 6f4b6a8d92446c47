#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/problems.h"
#include "config/value.h"

namespace astroclip::config {

/// What `describe` prints of one parameter.
struct FieldDescription {
  std::string name;
  std::string type;      ///< "integer", "list of strings", "section", "list of sections", "plugin" …
  std::string fallback;  ///< the default as TOML; "" when the field is required
  std::string range;     ///< "64..4096", "one of \"a\", \"b\"", ""
  std::string meaning;
  std::vector<FieldDescription> fields;  ///< of a section, or of each in a list
  bool affects_results = true;
};

/// The table without the keys that do not affect results.
Table affecting_results(const Table& table, const std::vector<FieldDescription>& fields);

/// Where a table stands and whose parameters it holds.
struct Section {
  std::string path = {};        ///< "encoders.image"; "" for a whole file
  std::string plugin = {};      ///< the plugin that the table configures, if any: its key "plugin" is passed over
  bool takes_old_keys = false;  ///< of a file that an older version wrote: renamed keys are read by their old names,
                                ///< removed ones passed over

  /// "[encoders.image] message", or the message alone for a whole file.
  std::string says(const std::string& message) const;
  /// The table `key` of this one.
  Section inner(const std::string& key) const;
};

/// A check on a parsed value. The error reads "'key' = value is COMPLAINT" ("is not DESCRIBE" without one);
/// `describe` is what stands in the documentation.
template <class T>
struct Constraint {
  std::string describe;
  std::function<bool(const T&)> holds;
  std::string complaint = {};             ///< "outside 0..1"
  std::vector<std::string> choices = {};  ///< what to suggest from
};

template <class... T>
concept Integers = (std::is_integral_v<T> && ...);
template <class... T>
concept Numbers = (std::is_arithmetic_v<T> && ...);

namespace detail {
Constraint<int64_t> between(int64_t low, int64_t high);
Constraint<double> between(double low, double high);
Constraint<int64_t> at_least(int64_t low);
Constraint<double> at_least(double low);
Constraint<int64_t> above(int64_t low);
Constraint<double> above(double low);
/// The type of a constraint's bounds: int64_t when all are integers, else double.
template <class... T>
using Bound = std::conditional_t<Integers<T...>, int64_t, double>;
}  // namespace detail

/// low ≤ value ≤ high. Bounds written as integers constrain an integer field, 0.0 and the like a number field.
template <Numbers L, Numbers H>
auto between(L low, H high) {
  using T = detail::Bound<L, H>;
  return detail::between(static_cast<T>(low), static_cast<T>(high));
}
/// value ≥ low
template <Numbers L>
auto at_least(L low) {
  return detail::at_least(static_cast<detail::Bound<L>>(low));
}
/// value > low
template <Numbers L>
auto above(L low) {
  return detail::above(static_cast<detail::Bound<L>>(low));
}
Constraint<std::string> one_of(const std::vector<std::string>& choices);
/// What can name a file or folder: 1 to 100 bytes, none of them '/' or a control character, the first no '.'.
Constraint<std::string> file_name();
/// Every element of a list.
template <class T>
Constraint<std::vector<T>> each(Constraint<T> element);

namespace detail {

/// Reads and writes one value of a struct that is given by its address.
template <class T>
struct Access {
  std::function<T(const void*)> get;
  std::function<void(void*, T)> set;
};

/// The elements of a list in such a struct, each with a key where the list has keys.
struct ListAccess {
  std::function<void(void*)> clear;
  std::function<void*(void*, const std::string& key)> append;  ///< gives the new element
  std::function<size_t(const void*)> size;
  std::function<const void*(const void*, size_t)> element;
  std::function<std::string(const void*, size_t)> key;
};

/// What stands in a table of its own: a section or a plugin.
struct TableAccess {
  std::string noun;
  std::function<void(void*, const Value& table, const Section&, Problems&)> read;
  std::function<Table(const void*)> write;
  std::function<std::vector<FieldDescription>(const void* start)> describe;
  std::shared_ptr<const void> start;  ///< the defaults of an element of a list
};

/// The fields of a schema without the type of its struct, so that little is compiled for each struct.
class Fields {
 public:
  /// T: what Schema::field takes.
  template <class T>
  void add(std::string name, Access<T> access, std::string meaning, Constraint<T> constraint, bool is_required);
  void add_table(std::string name, std::function<void*(void*)> member, TableAccess table, std::string meaning,
                 bool is_required);
  /// [[name]]
  void add_list(std::string name, ListAccess list, TableAccess table, std::string meaning);
  /// [name.KEY]; one is required where `is_required`.
  void add_named(std::string name, ListAccess list, TableAccess table, std::string meaning, bool is_required);
  /// A table of strings.
  void add_pairs(std::string name, ListAccess list, std::string meaning);
  void add_check(std::function<std::string(const void*)> rule) { checks_.push_back(std::move(rule)); }
  void set_no_effect_on_results() { fields_.back().affects_results = false; }
  void add_renamed(std::string old_name, std::string new_name);
  void add_removed(std::string name, std::string instead);

  void parse(void* parameters, const Table& table, const Section& where, const Location& place,
             Problems& problems) const;
  Table dump(const void* parameters) const;
  std::vector<FieldDescription> describe(const void* start) const;

 private:
  struct Field {
    std::string name;
    bool is_required;
    std::function<void(void*, const Value&, const Section&, Problems&)> read;
    std::function<Value(const void*)> write;
    std::function<FieldDescription(const void* start)> describe;
    bool affects_results = true;
  };
  std::vector<Field> fields_;
  std::vector<std::pair<std::string, std::string>> renamed_, removed_;
  std::vector<std::function<std::string(const void*)>> checks_;
};

}  // namespace detail

template <class B, class P>
concept BaseOf = std::is_base_of_v<B, P>;

/// Names of the values that a member can have.
template <class T>
using Choices = std::vector<std::pair<std::string, T>>;

/// A plugin as a table names it (plugin::Spec): reads itself, with the schema of the plugin that the table names.
template <class S>
concept PluginField = requires(const Value& value, const Section& where, Problems& problems, const S& spec) {
  { S::read(value, where, problems) } -> std::same_as<S>;
  { spec.parameters } -> std::convertible_to<const Table&>;
};

/// One list of fields that parses, checks, documents and prints the parameters of a struct P. Defaults are P's
/// member initialisers. `field` takes members of type bool, int64_t, uint64_t, double, std::string, std::vector of
/// int64_t, double or std::string, and Value, which is taken as it stands.
template <class P>
class Schema {
 public:
  explicit Schema(std::string summary) : summary_(std::move(summary)) {}

  /// The member may be one of a base of P.
  template <class T, BaseOf<P> B>
  Schema& field(std::string name, T B::*member, std::string meaning,
                std::type_identity_t<Constraint<T>> constraint = {});
  /// A field without a default.
  template <class T, BaseOf<P> B>
  Schema& required(std::string name, T B::*member, std::string meaning,
                   std::type_identity_t<Constraint<T>> constraint = {});
  /// A string that names one of a few values, of an enumeration as a rule.
  template <class T, BaseOf<P> B>
  Schema& choice(std::string name, T B::*member, std::string meaning, std::type_identity_t<Choices<T>> choices);
  /// A list of such strings.
  template <class T, BaseOf<P> B>
  Schema& choices(std::string name, std::vector<T> B::*member, std::string meaning,
                  std::type_identity_t<Choices<T>> choices);
  /// A nested table.
  template <class S, BaseOf<P> B>
  Schema& section(std::string name, S B::*member, std::string meaning, const Schema<S>& schema);
  /// A nested table of members of P itself.
  Schema& section(std::string name, std::string meaning, const Schema& schema);
  /// An array of nested tables: [[name]].
  template <class S, BaseOf<P> B>
  Schema& tables(std::string name, std::vector<S> B::*member, std::string meaning, const Schema<S>& schema);
  /// Nested tables by name: [name.KEY].
  template <class S, BaseOf<P> B>
  Schema& named_sections(std::string name, std::vector<std::pair<std::string, S>> B::*member, std::string meaning,
                         const Schema<S>& schema);
  /// A table of strings: an element for each, with key and value in two of its members.
  template <class E, BaseOf<P> B>
  Schema& pairs(std::string name, std::vector<E> B::*member, std::string E::*key, std::string E::*value,
                std::string meaning);
  /// A plugin with its parameters: a table with the key "plugin". Required.
  template <PluginField S, BaseOf<P> B>
  Schema& plugin(std::string name, S B::*member, std::string meaning);
  /// An array of plugins: [[name]].
  template <PluginField S, BaseOf<P> B>
  Schema& plugins(std::string name, std::vector<S> B::*member, std::string meaning);
  /// Plugins by name: [name.KEY]; an element for each, with key and plugin in two of its members. One is required.
  template <class E, PluginField S, BaseOf<P> B>
  Schema& named_plugins(std::string name, std::vector<E> B::*member, std::string E::*key, S E::*plugin,
                        std::string meaning);
  /// The last field says how fast results come, or what is kept beside them.
  Schema& no_effect_on_results();
  /// A key that was renamed: the old one is refused with the new one's name, or read (Section::takes_old_keys).
  Schema& renamed(std::string old_name, std::string new_name);
  /// A key that is gone: it is refused with what takes its place, or passed over (Section::takes_old_keys).
  Schema& removed(std::string name, std::string instead);
  /// A check over several fields; the message is "" when it holds.
  Schema& check(std::function<std::string(const P&)> rule);
  /// A part of an experiment file that shows a plugin's use.
  Schema& example(std::string toml);

  /// Reads the table; `place` is where it begins. Problems are added, not thrown: unknown keys (with a suggestion),
  /// wrong types, values out of range, missing required fields, and, when there is none of these, what the checks over
  /// several fields say. Keys that are absent keep their value of `start`: a section's are those that the struct
  /// around it gives it.
  P parse(const Table& table, const Section& where, const Location& place, Problems& problems,
          const P& start = {}) const;
  /// Every field with its value, defaults included: parse(dump(p)) gives p.
  Table dump(const P& parameters) const;
  std::vector<FieldDescription> describe(const P& start = {}) const;
  const std::string& summary() const { return summary_; }
  const std::string& example() const { return example_; }

 private:
  template <class>
  friend class Schema;
  /// How a table of this schema is read and written as part of another.
  detail::TableAccess access() const;

  std::string summary_, example_;
  detail::Fields fields_;
};

}  // namespace astroclip::config

#include "config/schema_impl.h"  // IWYU pragma: export
