#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace astroclip::io {

/// An image of `width` by `height` pixels as PNG. Each pixel has three bytes, red, green and blue; rows follow one
/// another from the top. Throws Error with the library's reason.
std::vector<std::byte> png_bytes(int64_t width, int64_t height, std::span<const uint8_t> rgb);
/// Writes it durably. Throws Error naming the path.
void write_png(const std::string& path, int64_t width, int64_t height, std::span<const uint8_t> rgb);

}  // namespace astroclip::io
