#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/output/output_file.h"

namespace astroclip::io {

/// Writes a file that must survive a crash: contents go to a temporary file in the same folder, which gets the final
/// name only when it is complete and on disk. The final name is always the previous file or the new one, never a part.
/// The next writer of the same file removes temporary files of killed writers. Every failure is an Error naming the
/// path and the system's reason.
class DurableFile {
 public:
  explicit DurableFile(std::string path);
  /// Removes the temporary file unless committed.
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(std::span<const std::byte> bytes) { file_->write(bytes); }
  void write(std::string_view text) { file_->write(text); }
  /// The temporary file that holds the contents until commit.
  OutputFile& file() { return *file_; }
  const std::string& temporary_path() const { return temporary_; }
  /// Syncs, renames to the final name and syncs the folder.
  void commit();

 private:
  std::string path_, temporary_;
  std::optional<OutputFile> file_;
  bool committed_ = false;
};

/// Renames a synced file within its folder, durably.
void take_name(const std::string& from, const std::string& to);

/// Creates a folder and its parents if they do not exist. Throws Error naming the path.
void make_folder(const std::string& path);
/// Writes a whole text file durably.
void write_text(const std::string& path, std::string_view text);
/// The contents of a file. Throws Error naming the path if it cannot be read.
std::string read_text(const std::string& path);

}  // namespace astroclip::io
