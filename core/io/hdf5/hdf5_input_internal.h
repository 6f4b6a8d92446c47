#pragma once

#include <hdf5.h>

#include <string>

namespace astroclip::io {

/// Opens a file for reading by a driver of its own, which refuses damage that libhdf5 1.10 would not survive: objects
/// of the global heap that do not lie within their collection, on which it reads beyond its memory or never ends.
/// Negative on failure, of which the library's error stack tells.
hid_t open_hdf5_input(const std::string& path);

}  // namespace astroclip::io
