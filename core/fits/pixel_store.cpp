#include "fits/pixel_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace astroclip::fits {

int64_t PixelStore::add(std::span<const float> values) {
  if (!file_) {
    const std::string hidden = fmt::format("{}.pixels-{}", path_, ::getpid());
    file_ = std::make_unique<io::OutputFile>(hidden, io::OutputFile::Mode::create, path_);
    std::filesystem::remove(hidden);  // the system frees it when it is closed, however the process ends
  }
  const auto bytes = std::as_bytes(values);
  const int64_t place = end_;
  file_->write_at(place, bytes);
  end_ += std::ssize(bytes);
  return place;
}

void PixelStore::read(int64_t place, std::span<float> values) const {
  file_->read_at(place, std::as_writable_bytes(values));
}

}  // namespace astroclip::fits
