#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/dataset.h"
#include "api/encoder.h"
#include "api/loss.h"
#include "api/task.h"
#include "config/schema.h"
#include "plugin/abi.h"  // made by the build in BUILD/generated: ASTROCLIP_ABI

/// The one record a plugin exports. It is constant data: the host compares its first fields before it calls
/// anything.
namespace astroclip::plugin {

/// Grows with every change to the interfaces.
inline constexpr uint32_t api_version = 1;
/// The one symbol a plugin exports.
inline constexpr const char* record_symbol = "astroclip_plugin_record";
inline constexpr uint64_t record_magic = 0x504C43494C525441;  // "ATRLICLP"
enum class Kind : uint32_t { encoder = 1, loss = 2, dataset = 3, task = 4 };
inline constexpr Kind all_kinds[] = {Kind::encoder, Kind::loss, Kind::dataset, Kind::task};

/// A schema whose struct is not known to the caller.
struct AnySchema {
  std::string summary;
  std::string example;
  std::vector<config::FieldDescription> fields;
  /// Checks a table and gives it back with every default filled in.
  std::function<config::Table(const config::Table&, const config::Section&, const config::Location&, config::Problems&)>
      resolve;
};

template <class P>
AnySchema erase(const config::Schema<P>& schema) {
  return {schema.summary(), schema.example(), schema.describe(),
          [&schema](const config::Table& table, const config::Section& where, const config::Location& place,
                    config::Problems& problems) { return schema.dump(schema.parse(table, where, place, problems)); }};
}

struct Record {
  uint64_t magic;
  uint32_t api;
  Kind kind;
  const char* abi;
  AnySchema (*schema)();
  /// Makes an object of the kind's interface from a resolved table, under the plugin's name; the caller owns it. Throws
  /// Error.
  void* (*create)(const config::Table& resolved, const std::string& name);
};

template <class T>
struct KindOf;
template <>
struct KindOf<Encoder> {
  static constexpr Kind value = Kind::encoder;
};
template <>
struct KindOf<Loss> {
  static constexpr Kind value = Kind::loss;
};
template <>
struct KindOf<Dataset> {
  static constexpr Kind value = Kind::dataset;
};
template <>
struct KindOf<Task> {
  static constexpr Kind value = Kind::task;
};

}  // namespace astroclip::plugin

/// Exports a plugin, whose name is its file's. `Type` derives from `Interface`, has `static const
/// config::Schema<Parameters>& schema()` and a constructor from `const Parameters&`, where `Type::Parameters` is the
/// struct.
#define ASTROCLIP_PLUGIN(Interface, Type)                                                                            \
  namespace {                                                                                                        \
  ::astroclip::plugin::AnySchema astroclip_plugin_schema() { return ::astroclip::plugin::erase(Type::schema()); }    \
  void* astroclip_plugin_create(const ::astroclip::config::Table& resolved, const std::string& name) {               \
    ::astroclip::config::Problems problems;                                                                          \
    const auto parameters = Type::schema().parse(resolved, {name, name}, {}, problems);                              \
    problems.throw_if_any();                                                                                         \
    auto object = std::make_unique<Type>(parameters);                                                                \
    object->set_plugin_name(name);                                                                                   \
    return static_cast<Interface*>(object.release());                                                                \
  }                                                                                                                  \
  }                                                                                                                  \
  extern "C"                                                                                                         \
      __attribute__((visibility("default"))) constinit const ::astroclip::plugin::Record astroclip_plugin_record = { \
          ::astroclip::plugin::record_magic,                                                                         \
          ::astroclip::plugin::api_version,                                                                          \
          ::astroclip::plugin::KindOf<Interface>::value,                                                             \
          ASTROCLIP_ABI,                                                                                             \
          &astroclip_plugin_schema,                                                                                  \
          &astroclip_plugin_create};
