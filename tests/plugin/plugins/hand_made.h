#pragma once

#include <cstdlib>

#include "plugin/record.h"

/// Records that lie about themselves: the host must refuse them before it calls anything.
namespace hand_made {

inline astroclip::plugin::Description describe() { std::abort(); }
inline astroclip::plugin::Checked check(const astroclip::config::Table&, const astroclip::config::Section&,
                                        const astroclip::config::Location&, astroclip::config::Problems&) {
  std::abort();
}

}  // namespace hand_made

#define HAND_MADE_PLUGIN(magic, api, abi)                                                                          \
  extern "C"                                                                                                       \
      __attribute__((visibility("default"))) constinit const astroclip::plugin::Record astroclip_plugin_record = { \
          magic, api, astroclip::plugin::Kind::task, abi, &hand_made::describe, &hand_made::check};
