#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Object headers of HDF5 (File Format Specification, IV.A), whose datatypes libhdf5 1.10 decodes without looking
/// whether they end within their message, or fit together.
namespace astroclip::io {

/// A piece of an object header: a run of messages.
struct HeaderPiece {
  uint64_t address, bytes;
};

/// Whether the datatypes among the messages of a header of version 1 are sound; a header of version 2 has a checksum.
/// Those of a version that libhdf5 1.10 does not know are left to it. Adds the pieces in which the header continues;
/// addresses and lengths have that many bytes in the file.
bool has_sound_types(std::span<const unsigned char> messages, size_t address_bytes, size_t length_bytes,
                     std::vector<HeaderPiece>& pieces);

}  // namespace astroclip::io
