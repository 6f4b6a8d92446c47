#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backend/backend.h"

/// What is known of devices beside their names (backend.h).
namespace astroclip {

/// What a device's name can be, for help texts and messages.
inline constexpr const char* device_name_forms = "auto, cuda, cuda:N (card N), cpu or reference";
/// Why a device of that name, a valid one, cannot be used; "" if it can.
std::string device_problem(const std::string& name);
/// The first card with its driver and the libraries, or "none: " and why it cannot be used.
std::string card_text();
/// "cpu", "cuda:1 (card, driver, libraries)", of a device in use.
std::string device_text(Device device);
/// Bytes that can still be allocated on a device in use with memory of its own; none for the host.
std::optional<int64_t> available_memory(Device device);

}  // namespace astroclip
