#pragma once

#include <span>
#include <string>
#include <vector>

namespace astroclip::io {

/// The HDF5 files that are named by paths, folders (their *.h5 and *.hdf5) and patterns with `*`, `?` or `[…]`; what
/// one of these names is sorted, and no file is listed twice. Throws Error when one names no file.
std::vector<std::string> hdf5_files(std::span<const std::string> named);

}  // namespace astroclip::io
