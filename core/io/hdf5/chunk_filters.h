#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "io/hdf5/hdf5.h"

namespace astroclip::io {

/// Undoes the filters, of which none is a checksum, of a chunk of elements of `element` bytes, last filter first; those
/// whose bit is set in `skipped` were not applied. `raw` is used as scratch. Throws Error with the reason unless
/// exactly `out` is filled; the caller names the file.
void undo_filters(std::span<const ChunkFilter> filters, uint32_t skipped, int64_t element, std::vector<std::byte>& raw,
                  std::span<std::byte> out);

/// Throws Error with the reason unless a chunk unpacks to so many bytes; checksums are not compared. `raw` is used as
/// scratch.
void require_unpacked(std::span<const ChunkFilter> filters, uint32_t skipped, std::vector<std::byte>& raw,
                      size_t bytes);

/// Undoes LZF. Throws Error saying what is wrong unless exactly `to` is filled.
void expand_lzf(std::span<const std::byte> from, std::span<std::byte> to);

}  // namespace astroclip::io
