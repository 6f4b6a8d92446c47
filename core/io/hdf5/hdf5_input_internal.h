#pragma once

#include <hdf5.h>

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

#include "io/hdf5/global_heap_internal.h"

namespace astroclip::io {

/// Opens a file for reading by a driver of its own, which refuses damage that libhdf5 1.10 would not survive: objects
/// of the global heap that do not lie within their collection, and datatypes that do not fit together, on which it
/// reads beyond its memory or never ends.
/// Negative on failure, of which the library's error stack tells.
hid_t open_hdf5_input(const std::string& path);

/// Where the values of variable length lie of a file that open_hdf5_input opened.
class HeapOfInput {
 public:
  explicit HeapOfInput(hid_t file);
  /// What a dataset holds of a text: its length in 4 bytes, its collection's address, and its number there in 4. 0 for
  /// a file of another driver.
  size_t place_bytes() const;
  /// Whether an object of that length lies there, or nothing is meant to.
  bool holds(std::span<const unsigned char> place);

 private:
  void* file_ = nullptr;
  std::unordered_map<uint64_t, HeapObjects> collections_;  ///< by address
};

}  // namespace astroclip::io
