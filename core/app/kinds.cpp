#include "app/kinds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "app/verb.h"

namespace astroclip::app {

plugin::Kind kind_of(const std::string& text) {
  std::vector<std::string> names;
  for (const plugin::Kind kind : plugin::all_kinds) {
    if (text == plugin::kind_name(kind) || text == plugin::kind_folder(kind)) return kind;
    names.push_back(plugin::kind_folder(kind));
  }
  const std::string near = config::nearest(text, names);
  throw UsageError(fmt::format("there is no kind '{}'{}; kinds: {}", text,
                               near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near), fmt::join(names, ", ")));
}

}  // namespace astroclip::app
