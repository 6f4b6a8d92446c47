#include "app/kinds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "app/verb.h"
#include "base/text.h"

namespace astroclip::app {

plugin::Kind kind_of(const std::string& text) {
  std::vector<std::string> names;
  for (const plugin::Kind kind : plugin::all_kinds) {
    if (text == plugin::kind_name(kind) || text == plugin::kind_folder(kind)) return kind;
    names.push_back(plugin::kind_folder(kind));
  }
  throw UsageError(fmt::format("there is no kind '{}' ({}){}", text, fmt::join(names, ", "), suggestion(text, names)));
}

}  // namespace astroclip::app
