#pragma once

#include <span>
#include <string_view>

namespace astroclip::explore {

/// A file of the explorer's page, compiled into the program from core/explore/page/.
struct PageFile {
  std::string_view name, type, text;
};
std::span<const PageFile> page_files();

}  // namespace astroclip::explore
