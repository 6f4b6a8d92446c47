#pragma once

#include <exception>
#include <string>

#include "base/error.h"

namespace astroclip::plugin {

/// Calls into a plugin, which `who` names: "loss 'clip'". An exception that is no Error leaves as an Error with that
/// name.
template <class F>
auto guarded(const std::string& who, const F& call) {
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(who + " failed: " + error.what());
  } catch (...) {
    throw Error(who + " failed with an exception of an unknown type");
  }
}

/// The same, and an Error that leaves the plugin (of an op, for example) ends with the name, too.
template <class F>
auto traced(const std::string& who, const F& call) {
  try {
    return guarded(who, call);
  } catch (const Error& error) {
    const std::string message = error.what();
    throw Error(message.starts_with(who) ? message : message + " (in " + who + ")");
  }
}

}  // namespace astroclip::plugin
