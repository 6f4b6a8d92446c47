#include "io/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "io/file_format.h"

namespace astroclip::io {

MappedFile::MappedFile(const std::string& path) {
  require_regular_file(path);
  const auto fail = [&](int reason) { throw Error(fmt::format("{}: cannot read: {}", path, std::strerror(reason))); };
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(errno);
  struct stat status {};
  int reason = fstat(descriptor, &status) == 0 ? 0 : errno;
  void* mapped = nullptr;
  const auto size = static_cast<size_t>(status.st_size);
  if (reason == 0 && size > 0) {
    mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapped == MAP_FAILED) reason = errno;
  }
  close(descriptor);
  if (reason != 0) fail(reason);
  if (size > 0) bytes_ = {static_cast<const std::byte*>(mapped), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::set_aside(const std::byte* data, int64_t bytes) const {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page;
  const auto end = (reinterpret_cast<uintptr_t>(data) + static_cast<uintptr_t>(bytes)) / page * page;
  // Only pages that hold nothing but these bytes; the system may ignore the advice.
  if (first < end) (void)madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

}  // namespace astroclip::io
