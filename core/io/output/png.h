#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace astroclip::io {

/// Writes an image of `width` by `height` pixels durably as PNG. Each pixel has three bytes, red, green and blue; rows
/// follow one another from the top. Throws Error naming the path.
void write_png(const std::string& path, int64_t width, int64_t height, std::span<const uint8_t> rgb);

}  // namespace astroclip::io
