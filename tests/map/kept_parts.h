#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "map/keeper.h"

namespace astroclip::map {

/// The parts of a computation by name.
using KeptParts = std::map<std::string, std::vector<std::byte>>;

/// Keeps in `parts`, and fails the test where a part is added twice.
inline Keeper keeper_of(KeptParts& parts) {
  return {[&](const std::string& name) -> std::optional<std::span<const std::byte>> {
            const auto found = parts.find(name);
            if (found == parts.end()) return std::nullopt;
            return found->second;
          },
          [&](const std::string& name, std::span<const std::byte> bytes) {
            EXPECT_TRUE(parts.emplace(name, std::vector(bytes.begin(), bytes.end())).second) << name;
          }};
}

}  // namespace astroclip::map
