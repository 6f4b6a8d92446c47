#pragma once

#include <span>
#include <string>

namespace astroclip::app {

/// A kind of file, or folder, that the program reads. `inspect` asks the readers in their order: to tell of another
/// kind, add one to the list in file_readers.cpp.
struct FileReader {
  const char* kind;  ///< in the plural, "FITS files"
  /// Whether a file is of the kind, by its first bytes or its name. Throws nothing.
  bool (*recognises)(const std::string& path);
  /// Prints what is in the file, and what the verbs that read it would take and refuse.
  void (*describe)(const std::string& path);
};

std::span<const FileReader> file_readers();

}  // namespace astroclip::app
