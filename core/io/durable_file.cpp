#include "io/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/error.h"

namespace astroclip::io {

namespace {

[[noreturn]] void fail(const std::string& path, const char* action) {
  const int reason = errno;
  throw Error(fmt::format("{}: cannot {}: {}", path, action, std::strerror(reason)));
}

void sync_folder(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail(folder, "open folder");
  const int result = fsync(descriptor);
  close(descriptor);
  if (result != 0) fail(folder, "sync folder");
}

}  // namespace

DurableFile::DurableFile(std::string path)
    : path_(std::move(path)), temporary_(fmt::format("{}.partial-{}", path_, getpid())) {
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path_, "write");
}

DurableFile::~DurableFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!committed_) unlink(temporary_.c_str());
}

void DurableFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "write");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void DurableFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void DurableFile::commit() {
  // A library may have written through the temporary name: sync what stands there, not only our descriptor.
  if (fsync(descriptor_) != 0) fail(path_, "sync");
  if (close(std::exchange(descriptor_, -1)) != 0) fail(path_, "close");
  take_name(temporary_, path_);
  committed_ = true;
}

void take_name(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) fail(to, "rename into place");
  sync_folder(to);
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
