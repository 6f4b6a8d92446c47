#pragma once

#include <hdf5.h>

#include <string>
#include <vector>

/// Texts of variable length, of which a dataset holds how long they are and where they lie in the global heap. libhdf5
/// 1.10 copies a heap's whole object into a buffer of the length beside its place, and takes any number for an
/// object's. The library's lock is held by the caller.
namespace astroclip::io {

/// What is wrong with a text of the elements from `first` to `last` along each axis of a dataset, or of one member of a
/// compound one: "is damaged: …"; "" if there is nothing, or it holds no texts of variable length.
std::string damage_of_texts(hid_t set, const std::string& member, const std::vector<hsize_t>& first,
                            const std::vector<hsize_t>& last);

/// How many bytes a value of a dataset has in the file.
size_t bytes_in_file(hid_t set);

/// As H5Dget_create_plist, with a fill value that is of variable length left empty: the library would read it.
hid_t creation_properties(hid_t set);

}  // namespace astroclip::io
