#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "api/dataset.h"

/// Shared by the sources of labels.h.
namespace astroclip::data {

inline constexpr std::array<Split, 2> splits = {Split::train, Split::test};
inline constexpr double missing_label = std::numeric_limits<double>::quiet_NaN();

inline size_t index_of(Split split) { return split == Split::train ? 0 : 1; }

inline std::string counted(int64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// Adds "; 3 TEXT" for a count that is not 0.
inline void append(std::string& sentence, int64_t count, const std::string& one, const std::string& several) {
  if (count > 0) sentence += fmt::format("; {} {}", count, count == 1 ? one : several);
}

}  // namespace astroclip::data
