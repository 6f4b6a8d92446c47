#include "io/output/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace astroclip::io {

namespace {

int flags_of(OutputFile::Mode mode) {
  switch (mode) {
    case OutputFile::Mode::create:
      return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    case OutputFile::Mode::append:
      return O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    case OutputFile::Mode::update:
      return O_RDWR | O_CLOEXEC;
  }
  return -1;
}

/// A lock of the open file rather than of the process: closing another descriptor of the same file, as HDF5 does, keeps
/// it.
struct flock whole_file() {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

OutputFile::OutputFile(std::string path, Mode mode, std::string shown)
    : path_(std::move(path)),
      shown_(shown.empty() ? path_ : std::move(shown)),
      descriptor_(::open(path_.c_str(), flags_of(mode), 0644)) {
  if (descriptor_ < 0) fail("write");
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void OutputFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void OutputFile::write_at(int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += written;
  }
}

void OutputFile::read_at(int64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(descriptor_, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read");
    if (count == 0) return;
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

int64_t OutputFile::size() const {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) fail("read");
  return status.st_size;
}

void OutputFile::truncate(int64_t size) {
  if (::ftruncate(descriptor_, size) != 0) fail("truncate");
}

void OutputFile::sync() {
  if (::fsync(descriptor_) != 0) fail("sync");
}

void OutputFile::close() {
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("close");
}

bool OutputFile::try_lock() {
  struct flock lock = whole_file();
  if (::fcntl(descriptor_, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL) return true;
  fail("lock");
}

void OutputFile::fail(const char* action) const {
  const int reason = errno;
  throw Error(fmt::format("{}: cannot {}: {}", shown_, action, std::strerror(reason)));
}

LockState lock_state(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return LockState::unknown;
  struct flock lock = whole_file();
  const bool told = ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0;
  ::close(descriptor);
  if (!told) return LockState::unknown;
  return lock.l_type == F_UNLCK ? LockState::unlocked : LockState::locked;
}

}  // namespace astroclip::io
