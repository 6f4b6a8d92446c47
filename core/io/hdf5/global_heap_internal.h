#pragma once

#include <cstdint>
#include <span>

/// The global heap of an HDF5 file (File Format Specification, III.E), in which texts of variable length and the parts
/// of virtual datasets lie.
namespace astroclip::io {

/// Little-endian.
uint64_t little_endian(std::span<const unsigned char> bytes, size_t at, size_t size);

/// Whether bytes begin as a collection of objects does.
bool is_heap_collection(std::span<const unsigned char> bytes);

/// Whether the objects of a whole collection lie within it, and those that are lists of the parts of a virtual dataset
/// have their checksums, which libhdf5 compares after it has decoded them. A size has `length` bytes in the file.
bool is_sound_heap(std::span<const unsigned char> heap, size_t length);

}  // namespace astroclip::io
