#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Walks through the codes of compressed images' tiles (FITS 4.0, section 10.4), as far as a reader has to go.
/// cfitsio's decoders do not look where their bytes end.
namespace astroclip::io {

/// Whether Rice code of integers of `bytes` bytes, which is in blocks of `block` pixels, has all pixels.
bool has_rice_pixels(std::span<const unsigned char> code, int64_t pixels, int64_t block, int bytes);

/// Whether H-compress code is of an image of so many pixels, and has all of them.
bool has_hcompress_pixels(std::span<const unsigned char> code, int64_t pixels);

/// Whether the instructions of a PLIO line list lie within it.
bool has_plio_list(std::span<const int16_t> words);

/// How many bytes gzip's code unpacks to; -1 if it is damaged, or if they are more than `most`.
int64_t gzip_size(std::span<const unsigned char> code, size_t most);

}  // namespace astroclip::io
