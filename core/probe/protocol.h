#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/schema.h"

namespace astroclip::probe {

/// How a task measures (AstroCLIP: Parker et al. 2024, section 5). Reports and files of probes tell it by name.
enum class Protocol {
  own,        ///< as the task's other keys say
  published,  ///< what AstroCLIP's code does
  corrected,  ///< the same without its mistakes
};

/// What a task's key `protocol` may be.
const config::Choices<Protocol>& protocols();
std::string name_of(Protocol protocol);
/// None for another word.
std::optional<Protocol> protocol_named(std::string_view name);
/// "protocol published; " for the note of a report, "" for a task's own.
std::string beginning_of_note(Protocol protocol);

}  // namespace astroclip::probe
