#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/output/output_file.h"

namespace astroclip::io {

/// The one way to write a file that must survive a crash: contents go to a temporary name in the same folder and take
/// the final name only when complete and on disk. Whoever looks at the final name sees the previous file or the new
/// one, never a part. What a killed writer left under a temporary name, the next one of the same file removes. Every
/// failure is an Error naming the path and the system's reason.
class DurableFile {
 public:
  explicit DurableFile(std::string path);
  /// Removes the temporary file unless committed.
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(std::span<const std::byte> bytes) { file_->write(bytes); }
  void write(std::string_view text) { file_->write(text); }
  /// Where the contents stand until commit.
  OutputFile& file() { return *file_; }
  const std::string& temporary_path() const { return temporary_; }
  /// Syncs, renames to the final name and syncs the folder.
  void commit();

 private:
  std::string path_, temporary_;
  std::optional<OutputFile> file_;
  bool committed_ = false;
};

/// Gives a file that is on disk another name in its folder, durably.
void take_name(const std::string& from, const std::string& to);

/// Makes a folder, and those it lies in, where there is none yet. Throws Error naming the path.
void make_folder(const std::string& path);
/// Writes a whole text file durably.
void write_text(const std::string& path, std::string_view text);
/// The contents of a file. Throws Error naming the path when it cannot be read.
std::string read_text(const std::string& path);

}  // namespace astroclip::io
