#pragma once

#include <span>
#include <string>

#include "app/verb.h"

namespace astroclip::app {

/// The manual page of all verbs, in the man macros of roff.
std::string man_page(std::span<const Verb> verbs);

}  // namespace astroclip::app
