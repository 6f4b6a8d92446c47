#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/mapped_file.h"
#include "io/output/output_file.h"

namespace astroclip::explore {

/// A file of named sections of bytes that are added one after another and never changed. Each is on disk, with a
/// checksum, before the next one is begun, so that a process that is killed leaves a file to go on from. It belongs to
/// a text of 16 letters, such as a fingerprint. Not thread-safe.
class SectionFile {
 public:
  /// Opens or begins the file, and locks it. Throws Error naming the path when it is no such file, of another version,
  /// belongs to another text, or another process has it open.
  SectionFile(const std::string& path, std::string_view belongs_to);

  /// The bytes of a section; valid during the lifetime of the object. They begin at a multiple of 8 bytes. They are
  /// checked when they are first asked for: throws Error where they are damaged.
  std::optional<std::span<const std::byte>> find(const std::string& name);
  /// Adds a section, and returns its bytes as `find` does. Names have at most 39 bytes.
  std::span<const std::byte> add(const std::string& name, std::span<const std::byte> bytes);

 private:
  struct Section {
    std::span<const std::byte> bytes;
    uint64_t checksum = 0;
    bool is_checked = false;
  };
  void read(std::string_view belongs_to);

  std::string path_;
  std::optional<io::OutputFile> file_;
  std::vector<std::unique_ptr<io::MappedFile>> mappings_;  ///< the file as it has grown
  std::map<std::string, Section> sections_;
  int64_t end_ = 0;  ///< of the last complete section
};

}  // namespace astroclip::explore
