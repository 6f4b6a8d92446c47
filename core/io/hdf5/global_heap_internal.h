#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

/// The global heap of an HDF5 file (File Format Specification, III.E), in which texts of variable length and the parts
/// of virtual datasets lie.
namespace astroclip::io {

/// Little-endian.
uint64_t little_endian(std::span<const unsigned char> bytes, size_t at, size_t size);

/// Whether bytes begin as a collection of objects does.
bool is_heap_collection(std::span<const unsigned char> bytes);

/// The sizes in bytes of a collection's objects by their numbers.
using HeapObjects = std::unordered_map<uint64_t, uint64_t>;

/// Of a whole collection; none unless its objects lie within it, and those that are lists of the parts of a virtual
/// dataset have their checksums, which libhdf5 compares after it has decoded them. A size has `length` bytes in the
/// file.
std::optional<HeapObjects> objects_of_heap(std::span<const unsigned char> heap, size_t length);

}  // namespace astroclip::io
