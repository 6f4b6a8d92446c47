#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/printable.h"
#include "plugin/record_check_internal.h"

namespace astroclip::plugin {

namespace {

constexpr size_t longest_shown = 200;

bool is_kind(Kind kind) { return std::find(std::begin(all_kinds), std::end(all_kinds), kind) != std::end(all_kinds); }

}  // namespace

std::string objection_to(const Record& record, size_t size) {
  constexpr const char* damaged = "has a damaged plugin record";
  if (size < offsetof(Record, abi) || record.magic != record_magic) return damaged;
  if (record.api != api_version) {
    return fmt::format("was built for plugin API {}, this astroclip has {}; build it again", record.api, api_version);
  }
  if (size < sizeof(Record) || record.abi == nullptr) return damaged;
  if (std::string_view(record.abi) != ASTROCLIP_ABI) {
    return fmt::format("was built with another ABI ({}) than this astroclip ({}); build it again",
                       printable(record.abi, longest_shown), ASTROCLIP_ABI);
  }
  if (!is_kind(record.kind)) return "has a plugin record of an unknown kind";
  if (record.describe == nullptr || record.check == nullptr) return damaged;
  return "";
}

}  // namespace astroclip::plugin
