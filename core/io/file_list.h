#pragma once

#include <span>
#include <string>
#include <vector>

namespace astroclip::io {

/// The HDF5 files given by paths, folders (the *.h5 and *.hdf5 files at any depth, also behind links, but not in what
/// is hidden by a name with a dot before it) and patterns with `*`, `?` or `[…]`. The files of one name are sorted, and
/// no file is listed twice, however it is spelt. Throws Error if a name matches no file.
std::vector<std::string> hdf5_files(std::span<const std::string> named);

}  // namespace astroclip::io
