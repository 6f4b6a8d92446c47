#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/schema.h"

namespace astroclip::plugin {

/// A plugin as a table names it, with its parameters, checked. Interface is Encoder, Loss, Dataset or Task. As a member
/// of a struct with a schema (Schema::plugin) it makes a plugin, an experiment or a plugin of its own, take plugins.
template <class Interface>
struct Spec {
  std::string plugin;
  config::Table parameters;  ///< as they stand in a file: the key "plugin", then every parameter, defaults included
  /// Makes an object from what was read. Throws Error as the plugin does, and for any other exception of the plugin one
  /// that names it.
  std::function<std::shared_ptr<Interface>()> make;

  /// Reads a value that is a table with the key "plugin" by the schema of the plugin that it names. Problems are added.
  static Spec read(const config::Value& value, const config::Section& where, config::Problems& problems);
};

}  // namespace astroclip::plugin
