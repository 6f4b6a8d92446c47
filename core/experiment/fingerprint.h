#pragma once

#include <string>

#include "api/dataset.h"
#include "config/value.h"

namespace astroclip {

/// Facts by which a dataset's contents are known again: numbers of objects, fields, and hashes of every object_id, of
/// the labels of up to 65,536 evenly spaced rows of each split, and of all fields of as many as make 32 MiB, at
/// least 32; of its files, eight digits each, of their sizes and of up to a mebibyte of their bytes, evenly spaced; of
/// a dataset with labels of tables, hashes of their files, and its condition. A change of other values goes unnoticed.
/// Labels that cannot be read are left out, and named under `unreadable_labels`.
inline constexpr const char* unreadable_labels = "labels that cannot be read";
inline constexpr const char* file_contents = "contents of files";
inline constexpr size_t digits_of_a_file = 8;
config::Table fingerprint(const Dataset& dataset);

/// A hash of a file's bytes when the process first asked for it. Throws Error naming the path if it cannot be read.
std::string file_hash(const std::string& path);

}  // namespace astroclip
