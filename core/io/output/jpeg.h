#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace astroclip::io {

/// An image of `width` by `height` pixels as JPEG of a quality from 1 to 100, its colours at full resolution. Each
/// pixel has three bytes, red, green and blue; rows follow one another from the top. Throws Error with the library's
/// reason.
std::vector<std::byte> jpeg_bytes(int64_t width, int64_t height, std::span<const uint8_t> rgb, int quality);

}  // namespace astroclip::io
