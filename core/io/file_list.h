#pragma once

#include <span>
#include <string>
#include <vector>

namespace astroclip::io {

/// The HDF5 files given by paths, folders (their *.h5 and *.hdf5 files) and patterns with `*`, `?` or `[…]`. The files
/// of one name are sorted, and no file is listed twice. Throws Error if a name matches no file.
std::vector<std::string> hdf5_files(std::span<const std::string> named);

}  // namespace astroclip::io
