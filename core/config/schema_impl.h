#pragma once

// The templates of schema.h. They name a struct's members; what is done with them stands in schema.cpp.
#include <algorithm>
#include <functional>

#include "config/schema.h"

namespace astroclip::config {

namespace detail {

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

/// The member of the struct at an address.
template <class P, class T>
T& at(void* parameters, T P::*member) {
  return static_cast<P*>(parameters)->*member;
}
template <class P, class T>
const T& at(const void* parameters, T P::*member) {
  return static_cast<const P*>(parameters)->*member;
}

template <class P, class T>
Access<T> access_to(T P::*member) {
  return {[member](const void* p) { return at(p, member); },
          [member](void* p, T value) { at(p, member) = std::move(value); }};
}

/// A list whose elements hold what is read and written in `part` of each, and their keys in `key` unless it is null.
template <class P, class E, class Part, class Key>
ListAccess access_to_list(std::vector<E> P::*member, const Part& part, const Key& key) {
  return {[member](void* p) { at(p, member).clear(); },
          [member, part, key](void* p, const std::string& name) -> void* {
            E& element = at(p, member).emplace_back();
            if constexpr (!std::is_null_pointer_v<Key>) std::invoke(key, element) = name;
            return &std::invoke(part, element);
          },
          [member](const void* p) { return at(p, member).size(); },
          [member, part](const void* p, size_t i) -> const void* { return &std::invoke(part, at(p, member)[i]); },
          [member, key](const void* p, size_t i) -> std::string {
            if constexpr (std::is_null_pointer_v<Key>)
              return "";
            else
              return std::invoke(key, at(p, member)[i]);
          }};
}

template <PluginField S>
TableAccess plugin_access() {
  return {"plugin",
          [](void* p, const Value& value, const Section& where, Problems& problems) {
            *static_cast<S*>(p) = S::read(value, where, problems);
          },
          [](const void* p) { return static_cast<const S*>(p)->parameters; },
          [](const void*) { return std::vector<FieldDescription>(); }, nullptr};
}

}  // namespace detail

template <class T>
Constraint<std::vector<T>> each(Constraint<T> element) {
  const std::string complaint = element.complaint.empty() ? "not " + element.describe : element.complaint;
  return {"each " + element.describe,
          [element](const std::vector<T>& values) { return std::ranges::all_of(values, element.holds); }, complaint};
}

template <class P>
detail::TableAccess Schema<P>::access() const {
  const auto fields = std::make_shared<const detail::Fields>(fields_);
  return {"section",
          [fields](void* p, const Value& value, const Section& where, Problems& problems) {
            fields->parse(p, *value.get_if<Table>(), where, value.location(), problems);
          },
          [fields](const void* p) { return fields->dump(p); },
          [fields](const void* start) { return fields->describe(start); }, std::make_shared<const P>()};
}

template <class P>
template <class T, BaseOf<P> B>
Schema<P>& Schema<P>::field(std::string name, T B::*member, std::string meaning,
                            std::type_identity_t<Constraint<T>> constraint) {
  fields_.add(std::move(name), detail::access_to(static_cast<T P::*>(member)), std::move(meaning),
              std::move(constraint), false);
  return *this;
}

template <class P>
template <class T, BaseOf<P> B>
Schema<P>& Schema<P>::required(std::string name, T B::*member, std::string meaning,
                               std::type_identity_t<Constraint<T>> constraint) {
  fields_.add(std::move(name), detail::access_to(static_cast<T P::*>(member)), std::move(meaning),
              std::move(constraint), true);
  return *this;
}

template <class P>
template <class T, BaseOf<P> B>
Schema<P>& Schema<P>::choice(std::string name, T B::*member, std::string meaning,
                             std::type_identity_t<Choices<T>> choices) {
  const detail::Access<T> value = detail::access_to(static_cast<T P::*>(member));
  const auto get = [=](const void* p) { return detail::name_of(value.get(p), choices); };
  const auto set = [=](void* p, const std::string& text) { value.set(p, detail::choice_of(text, choices)); };
  fields_.add(std::move(name), detail::Access<std::string>{get, set}, std::move(meaning), detail::names_of(choices),
              false);
  return *this;
}

template <class P>
template <class T, BaseOf<P> B>
Schema<P>& Schema<P>::choices(std::string name, std::vector<T> B::*member, std::string meaning,
                              std::type_identity_t<Choices<T>> choices) {
  const auto values = static_cast<std::vector<T> P::*>(member);
  using Texts = std::vector<std::string>;
  const auto get = [=](const void* p) {
    Texts texts;
    for (const T& value : detail::at(p, values)) texts.push_back(detail::name_of(value, choices));
    return texts;
  };
  const auto set = [=](void* p, const Texts& texts) {
    detail::at(p, values).clear();
    for (const auto& text : texts) detail::at(p, values).push_back(detail::choice_of(text, choices));
  };
  fields_.add(std::move(name), detail::Access<Texts>{get, set}, std::move(meaning), each(detail::names_of(choices)),
              false);
  return *this;
}

template <class P>
template <class S, BaseOf<P> B>
Schema<P>& Schema<P>::section(std::string name, S B::*member, std::string meaning, const Schema<S>& schema) {
  const auto own = static_cast<S P::*>(member);
  fields_.add_table(
      std::move(name), [own](void* p) -> void* { return &detail::at(p, own); }, schema.access(), std::move(meaning),
      false);
  return *this;
}

template <class P>
Schema<P>& Schema<P>::section(std::string name, std::string meaning, const Schema& schema) {
  fields_.add_table(
      std::move(name), [](void* p) { return p; }, schema.access(), std::move(meaning), false);
  return *this;
}

template <class P>
template <class S, BaseOf<P> B>
Schema<P>& Schema<P>::tables(std::string name, std::vector<S> B::*member, std::string meaning,
                             const Schema<S>& schema) {
  const auto list = static_cast<std::vector<S> P::*>(member);
  fields_.add_list(std::move(name), detail::access_to_list(list, std::identity(), nullptr), schema.access(),
                   std::move(meaning));
  return *this;
}

template <class P>
template <class S, BaseOf<P> B>
Schema<P>& Schema<P>::named_sections(std::string name, std::vector<std::pair<std::string, S>> B::*member,
                                     std::string meaning, const Schema<S>& schema) {
  using Named = std::pair<std::string, S>;
  const auto list = static_cast<std::vector<Named> P::*>(member);
  fields_.add_named(std::move(name), detail::access_to_list(list, &Named::second, &Named::first), schema.access(),
                    std::move(meaning), false);
  return *this;
}

template <class P>
template <class E, BaseOf<P> B>
Schema<P>& Schema<P>::pairs(std::string name, std::vector<E> B::*member, std::string E::*key, std::string E::*value,
                            std::string meaning) {
  const auto list = static_cast<std::vector<E> P::*>(member);
  fields_.add_pairs(std::move(name), detail::access_to_list(list, value, key), std::move(meaning));
  return *this;
}

template <class P>
template <PluginField S, BaseOf<P> B>
Schema<P>& Schema<P>::plugin(std::string name, S B::*member, std::string meaning) {
  const auto own = static_cast<S P::*>(member);
  fields_.add_table(
      std::move(name), [own](void* p) -> void* { return &detail::at(p, own); }, detail::plugin_access<S>(),
      std::move(meaning), true);
  return *this;
}

template <class P>
template <PluginField S, BaseOf<P> B>
Schema<P>& Schema<P>::plugins(std::string name, std::vector<S> B::*member, std::string meaning) {
  const auto list = static_cast<std::vector<S> P::*>(member);
  fields_.add_list(std::move(name), detail::access_to_list(list, std::identity(), nullptr), detail::plugin_access<S>(),
                   std::move(meaning));
  return *this;
}

template <class P>
template <class E, PluginField S, BaseOf<P> B>
Schema<P>& Schema<P>::named_plugins(std::string name, std::vector<E> B::*member, std::string E::*key, S E::*plugin,
                                    std::string meaning) {
  const auto list = static_cast<std::vector<E> P::*>(member);
  fields_.add_named(std::move(name), detail::access_to_list(list, plugin, key), detail::plugin_access<S>(),
                    std::move(meaning), true);
  return *this;
}

template <class P>
Schema<P>& Schema<P>::no_effect_on_results() {
  fields_.set_no_effect_on_results();
  return *this;
}

template <class P>
Schema<P>& Schema<P>::removed(std::string name, std::string instead) {
  fields_.add_removed(std::move(name), std::move(instead));
  return *this;
}

template <class P>
Schema<P>& Schema<P>::renamed(std::string old_name, std::string new_name) {
  fields_.add_renamed(std::move(old_name), std::move(new_name));
  return *this;
}

template <class P>
Schema<P>& Schema<P>::check(std::function<std::string(const P&)> rule) {
  fields_.add_check([rule = std::move(rule)](const void* p) { return rule(*static_cast<const P*>(p)); });
  return *this;
}

template <class P>
Schema<P>& Schema<P>::example(std::string toml) {
  example_ = std::move(toml);
  if (example_.starts_with('\n')) example_.erase(0, 1);
  return *this;
}

template <class P>
P Schema<P>::parse(const Table& table, const Section& where, const Location& place, Problems& problems,
                   const P& start) const {
  P parameters = start;
  fields_.parse(&parameters, table, where, place, problems);
  return parameters;
}

template <class P>
Table Schema<P>::dump(const P& parameters) const {
  return fields_.dump(&parameters);
}

template <class P>
std::vector<FieldDescription> Schema<P>::describe(const P& start) const {
  return fields_.describe(&start);
}

}  // namespace astroclip::config
