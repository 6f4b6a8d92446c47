#include "train/append_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace astroclip::train {

AppendFile::AppendFile(std::string path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "a")) {
  if (file_ == nullptr) fail("write");
}

AppendFile::~AppendFile() { std::fclose(file_); }

void AppendFile::write(std::string_view record) {
  if (std::fwrite(record.data(), 1, record.size(), file_) != record.size() || std::fflush(file_) != 0) fail("write");
}

void AppendFile::sync() {
  if (fsync(fileno(file_)) != 0) fail("sync");
}

void AppendFile::fail(const char* action) const {
  throw Error(fmt::format("{}: cannot {}: {}", path_, action, std::strerror(errno)));
}

}  // namespace astroclip::train
