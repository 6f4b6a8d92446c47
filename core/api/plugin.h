#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace astroclip {

/// What every object that a plugin makes has from the host.
class Plugin {
 public:
  /// The plugin's name, that of its file; empty in the object's constructor and where no host made the object.
  const std::string& plugin_name() const { return plugin_name_; }
  void set_plugin_name(std::string name) { plugin_name_ = std::move(name); }

 protected:
  ~Plugin() = default;
  /// Throws Error "[plugin's name] message".
  [[noreturn]] void fail(const std::string& message) const { throw Error("[" + plugin_name_ + "] " + message); }

 private:
  std::string plugin_name_;
};

}  // namespace astroclip
