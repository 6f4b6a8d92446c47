#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace astroclip::map {

/// Called with the share that is done; may throw to end the work.
using Progress = std::function<void(double share)>;

/// Where a long computation keeps what it has, to go on from there once it was ended. What was added under a name is
/// found under it, and is not changed.
struct Keeper {
  std::function<std::optional<std::span<const std::byte>>(const std::string& name)> find;
  std::function<void(const std::string& name, std::span<const std::byte> bytes)> add;
};

/// Appends values that were kept as bytes.
template <class T>
void append_values(std::vector<T>& values, std::span<const std::byte> bytes) {
  const size_t before = values.size();
  values.resize(before + bytes.size() / sizeof(T));
  std::memcpy(values.data() + before, bytes.data(), bytes.size());
}

}  // namespace astroclip::map
