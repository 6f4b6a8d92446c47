#include "probe/protocol.h"

#include <algorithm>

namespace astroclip::probe {

const config::Choices<Protocol>& protocols() {
  static const config::Choices<Protocol> all = {
      {"own", Protocol::own}, {"published", Protocol::published}, {"corrected", Protocol::corrected}};
  return all;
}

std::string name_of(Protocol protocol) {
  return std::ranges::find(protocols(), protocol, [](const auto& one) { return one.second; })->first;
}

std::optional<Protocol> protocol_named(std::string_view name) {
  for (const auto& [own, protocol] : protocols()) {
    if (own == name) return protocol;
  }
  return std::nullopt;
}

std::string beginning_of_note(Protocol protocol) {
  return protocol == Protocol::own ? "" : "protocol " + name_of(protocol) + "; ";
}

}  // namespace astroclip::probe
