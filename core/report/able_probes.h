#pragma once

#include <cstddef>
#include <string>

namespace astroclip::report {

/// The place of a probe's method among those that predict values, the most able first; greater than that of each of
/// them for another method.
size_t place_of_probe(const std::string& method);
/// Whether a method is one of them.
bool is_able_probe(const std::string& method);

}  // namespace astroclip::report
