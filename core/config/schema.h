#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "config/value.h"

namespace astroclip::config {

/// What `describe` prints of one parameter.
struct FieldDescription {
  std::string name;
  std::string type;  ///< "integer", "number", "boolean", "string", "list of strings", "section", "list of sections" …
  std::string fallback;  ///< the default as TOML; "" when the field is required
  std::string range;     ///< "64..4096", "one of \"a\", \"b\"", ""
  std::string meaning;
  std::vector<FieldDescription> fields;  ///< of a section, or of each in a list
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

template <class B, class P>
concept BaseOf = std::is_base_of_v<B, P>;

/// "encoders.image (plugin 'vit')": a `where` from which messages about unknown keys name the plugin.
std::string plugin_section(const std::string& section, const std::string& plugin);

/// One list of fields that parses, checks, documents and prints the parameters of a struct P. Defaults are P's
/// member initialisers. Supported members: bool, int64_t, double, std::string, std::vector of int64_t, double
/// or std::string, nested structs with a schema of their own, and Value, which is taken as it stands (what a plugin's
/// own schema reads later).
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
  /// A nested table.
  template <class S, BaseOf<P> B>
  Schema& section(std::string name, S B::*member, std::string meaning, const Schema<S>& schema);
  /// An array of nested tables: [[name]].
  template <class S, BaseOf<P> B>
  Schema& tables(std::string name, std::vector<S> B::*member, std::string meaning, const Schema<S>& schema);
  /// A check over several fields; the message is "" when it holds.
  Schema& check(std::function<std::string(const P&)> rule);

  /// Reads the table. `where` names the section in messages: "encoders.image", plugin_section("encoders.image",
  /// "vit"), or "" for a whole file; `place` is where the section begins. Problems are added, not thrown: unknown
  /// keys (with a suggestion), wrong types, values out of range, missing required fields, and, when there is none of
  /// these, what the checks over several fields say. The key "plugin" is never a parameter and is passed over.
  /// Keys that are absent keep their value of `start`: a section's are those that the struct around it gives it.
  P parse(const Table& table, const std::string& where, const Location& place, Problems& problems,
          const P& start = {}) const;
  /// Every field with its value, defaults included: parse(dump(p)) gives p.
  Table dump(const P& parameters) const;
  std::vector<FieldDescription> describe(const P& start = {}) const;
  const std::string& summary() const { return summary_; }

 private:
  struct Field {
    std::string name;
    bool is_required = false;
    std::function<bool(P&, const Value&, const std::string& where, Problems&)> read;  ///< false: added a problem
    std::function<Value(const P&)> write;
    std::function<FieldDescription(const P& start)> describe;
  };
  template <class T>
  Schema& add(std::string name, T P::*member, std::string meaning, Constraint<T> constraint, bool is_required);
  std::vector<std::string> names() const;

  std::string summary_;
  std::vector<Field> fields_;
  std::vector<std::function<std::string(const P&)>> checks_;
};

/// A schema whose struct is not known to the caller: what the host sees of a plugin's.
struct AnySchema {
  std::string summary;
  std::vector<FieldDescription> fields;
  /// Checks a table and gives it back with every default filled in.
  std::function<Table(const Table&, const std::string& where, const Location&, Problems&)> resolve;
};

template <class P>
AnySchema erase(const Schema<P>& schema) {
  return {schema.summary(), schema.describe(),
          [&schema](const Table& table, const std::string& where, const Location& place, Problems& problems) {
            return schema.dump(schema.parse(table, where, place, problems));
          }};
}

}  // namespace astroclip::config

#include "config/schema_impl.h"  // IWYU pragma: export
