#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace astroclip::io {

/// The directory of a zip archive in memory (PKWARE's APPNOTE), zip64 included. Only one disk and no encryption, as
/// PyTorch writes them; entries stored with compression are listed and cannot be read.
class ZipArchive {
 public:
  /// Checks the whole directory. `path` is for messages; the bytes must outlive the archive.
  /// Throws Error "PATH: …" for anything invalid or unsupported.
  ZipArchive(std::span<const std::byte> bytes, std::string path);

  /// Whether the bytes begin like a zip archive.
  static bool looks_like_one(std::span<const std::byte> bytes);

  /// The location of an entry's bytes in the file.
  struct Entry {
    int64_t offset = 0;
    int64_t size = 0;
    uint32_t checksum = 0;  ///< 0 if the writer omitted it
    uint16_t method = 0;    ///< of compression; 0: none
  };
  /// By name.
  const std::map<std::string, Entry>& entries() const { return entries_; }
  /// The first names, for a message.
  std::string some_names() const;
  /// Throws Error if the entry is compressed.
  std::span<const std::byte> bytes_of(const std::string& name) const;
  /// Reads a whole entry and throws Error if its checksum differs.
  void verify(const std::string& name) const;

 private:
  [[noreturn]] void refuse(const std::string& reason) const;
  template <class T>
  T at(uint64_t offset) const;
  void expect(uint64_t offset, uint64_t count, const char* what) const;
  uint64_t find_end() const;
  void read_directory();
  uint64_t read_entry(uint64_t header, uint64_t directory_end);
  uint64_t data_offset(uint64_t local_header, const std::string& name) const;

  std::span<const std::byte> bytes_;
  std::string path_;
  std::map<std::string, Entry> entries_;
};

}  // namespace astroclip::io
