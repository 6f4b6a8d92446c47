#include "io/output/png.h"

#include <png.h>

#include "base/error.h"
#include "io/output/durable_file.h"

namespace astroclip::io {

std::vector<std::byte> png_bytes(int64_t width, int64_t height, std::span<const uint8_t> rgb) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  const auto encode = [&](void* memory) {
    if (png_image_write_to_memory(&image, memory, &size, 0, rgb.data(), 0, nullptr) == 0)
      throw Error(std::string("an image cannot be written as PNG: ") + image.message);
  };
  encode(nullptr);  // gives the size
  std::vector<std::byte> bytes(size);
  encode(bytes.data());
  return bytes;
}

void write_png(const std::string& path, int64_t width, int64_t height, std::span<const uint8_t> rgb) {
  const std::vector<std::byte> bytes = png_bytes(width, height, rgb);
  DurableFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace astroclip::io
