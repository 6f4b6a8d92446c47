#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace astroclip::io {

/// What a file is by its first bytes, with what to do about it, for a message of a reader that expected another format:
/// "a Git LFS pointer, not the file itself; fetch it with `git lfs pull`". "" if it is nothing that is known.
std::string other_format(std::span<const std::byte> bytes);
/// The same of a file, which may also be weights, an experiment file or, unless a table was expected, a table; "" if it
/// cannot be read.
std::string other_format(const std::string& path, bool or_table = true);
/// What a table in a file is, and which options take it: "a table (CSV: id, ra, z); `astroclip import` takes it by …".
/// "" if there is none with rows and several columns.
std::string table_format(const std::string& path, const std::string& table = "");

/// Throws Error naming the path if it is no file that can be read at any place: a folder, a pipe, a terminal, or "-",
/// which stands for one. Opens nothing, so that it does not wait for a writer, and leaves missing files to the caller.
void require_regular_file(const std::string& path);

}  // namespace astroclip::io
