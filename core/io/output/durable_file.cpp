#include "io/output/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/error.h"

namespace astroclip::io {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& path, const char* action) {
  const int reason = errno;
  throw Error(fmt::format("{}: cannot {}: {}", path, action, std::strerror(reason)));
}

void sync_folder(const std::string& path) {
  const std::string folder = fs::absolute(path).parent_path().string();
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail(folder, "open folder");
  const int result = ::fsync(descriptor);
  const int reason = errno;
  ::close(descriptor);
  errno = reason;
  if (result != 0) fail(folder, "sync folder");
}

/// Prefix of the temporary files of every writer of this file.
std::string temporary_prefix(const std::string& path) { return path + ".partial-"; }

/// Keeps the temporary files of live writers, which are locked.
void remove_leftovers(const std::string& path) {
  const fs::path folder = fs::absolute(path).parent_path();
  const std::string prefix = fs::path(temporary_prefix(path)).filename().string();
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    const std::string found = entry.path().string();
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    if (lock_state(found) == LockState::unlocked) fs::remove(found, failure);
  }
}

/// Follows symbolic links, because a rename would replace them. Throws Error for an existing path that is not a regular
/// file (a device, a pipe, a folder).
std::string file_behind(const std::string& path) {
  if (path.empty()) throw Error("cannot write: the file name is empty");
  constexpr int most_links = 40;  // the limit of Linux
  std::error_code absent;
  fs::path place = path;
  for (int links = 0; fs::is_symlink(fs::symlink_status(place, absent)); ++links) {
    if (links == most_links) throw Error(fmt::format("{}: cannot write: too many links", path));
    place = place.parent_path() / fs::read_symlink(place);
  }
  const fs::file_status status = fs::status(place, absent);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw Error(fmt::format("{}: cannot write: exists and is not a regular file", path));
  }
  return place.string();
}

}  // namespace

DurableFile::DurableFile(std::string path)
    : path_(file_behind(path)), temporary_(fmt::format("{}{}", temporary_prefix(path_), ::getpid())) {
  remove_leftovers(path_);
  // Before it is locked, another writer may take it for a leftover and remove it.
  do {
    file_.emplace(temporary_, OutputFile::Mode::create, path_);
    if (!file_->try_lock()) throw Error(fmt::format("{}: its temporary file is locked", path_));
  } while (::access(temporary_.c_str(), F_OK) != 0);
}

DurableFile::~DurableFile() {
  if (!committed_) ::unlink(temporary_.c_str());
}

void DurableFile::commit() {
  file_->sync();
  // Closing the descriptor releases the lock, so close only after the rename.
  take_name(temporary_, path_);
  committed_ = true;
  file_->close();
}

void take_name(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail(to, "rename into place");
  sync_folder(to);
}

void make_folder(const std::string& path) {
  std::error_code failure;
  fs::create_directories(path, failure);
  if (failure) throw Error(fmt::format("{}: cannot create the folder: {}", path, failure.message()));
}

void write_text(const std::string& path, std::string_view text) {
  DurableFile file(path);
  file.write(text);
  file.commit();
}

std::string read_text(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  if (!file) fail(path, "read");
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

}  // namespace astroclip::io
