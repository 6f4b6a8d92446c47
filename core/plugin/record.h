#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/encoder.h"
#include "api/loss.h"
#include "api/task.h"
#include "config/schema.h"
#include "plugin/abi.h"   // made by the build in BUILD/generated: ASTROCLIP_ABI
#include "plugin/spec.h"  // IWYU pragma: export

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

/// What a plugin says of itself.
struct Description {
  std::string summary;
  std::vector<config::FieldDescription> fields;
  std::string example;  ///< TOML of an experiment file
};

/// Parameters as the plugin's schema read them.
struct Checked {
  config::Table resolved;       ///< with every default
  std::function<void*()> make;  ///< makes an object of the kind's interface, which the caller owns; throws Error
};

struct Record {
  uint64_t magic;
  uint32_t api;
  Kind kind;
  const char* abi;
  Description (*describe)();
  /// `where` names the plugin. Problems are added; only without any may objects be made.
  Checked (*check)(const config::Table& table, const config::Section& where, const config::Location& place,
                   config::Problems& problems);
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

template <class Type>
Description describe_type() {
  const auto& schema = Type::schema();
  return {schema.summary(), schema.describe(), schema.example()};
}

template <class Interface, class Type>
Checked check_type(const config::Table& table, const config::Section& where, const config::Location& place,
                   config::Problems& problems) {
  const auto& schema = Type::schema();
  const auto read = std::make_shared<const typename Type::Parameters>(schema.parse(table, where, place, problems));
  const auto make = [read, name = where.plugin]() -> void* {
    auto object = std::make_unique<Type>(*read);
    object->set_plugin_name(name);
    return static_cast<Interface*>(object.release());
  };
  return {schema.dump(*read), make};
}

}  // namespace astroclip::plugin

/// Exports a plugin, whose name is its file's. `Type` derives from `Interface`, has `static const
/// config::Schema<Parameters>& schema()` and a constructor from `const Parameters&`, where `Type::Parameters` is the
/// struct.
#define ASTROCLIP_PLUGIN(Interface, Type)                                                                            \
  extern "C"                                                                                                         \
      __attribute__((visibility("default"))) constinit const ::astroclip::plugin::Record astroclip_plugin_record = { \
          ::astroclip::plugin::record_magic,                                                                         \
          ::astroclip::plugin::api_version,                                                                          \
          ::astroclip::plugin::KindOf<Interface>::value,                                                             \
          ASTROCLIP_ABI,                                                                                             \
          &::astroclip::plugin::describe_type<Type>,                                                                 \
          &::astroclip::plugin::check_type<Interface, Type>};
