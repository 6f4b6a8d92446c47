#include "io/output/png.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include "base/error.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

TEST(Png, HoldsThePixels) {
  const std::string path = testing_support::scratch("small.png");
  std::vector<uint8_t> rgb;
  for (int i = 0; i < 5 * 3 * 3; ++i) rgb.push_back(static_cast<uint8_t>(5 * i));
  write_png(path, 5, 3, rgb);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0) << image.message;
  EXPECT_EQ(image.width, 5U);
  EXPECT_EQ(image.height, 3U);
  image.format = PNG_FORMAT_RGB;
  std::vector<uint8_t> read(PNG_IMAGE_SIZE(image));
  ASSERT_NE(png_image_finish_read(&image, nullptr, read.data(), 0, nullptr), 0) << image.message;
  EXPECT_EQ(read, rgb);
}

TEST(Png, NamesAFolderThatIsNotThere) {
  EXPECT_THAT([] { write_png("/nowhere/a.png", 1, 1, std::vector<uint8_t>(3)); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("/nowhere/a.png")));
}

}  // namespace
}  // namespace astroclip::io
