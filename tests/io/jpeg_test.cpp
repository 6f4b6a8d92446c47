#include "io/output/jpeg.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
// clang-format off
#include <jpeglib.h>  // needs what <cstdio> declares
// clang-format on

#include "base/error.h"

namespace astroclip::io {
namespace {

/// What libjpeg reads; its default errors end the program.
std::vector<uint8_t> read_jpeg(const std::vector<std::byte>& bytes, unsigned& width, unsigned& height) {
  jpeg_decompress_struct state{};
  jpeg_error_mgr errors{};
  state.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&state);
  jpeg_mem_src(&state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&state, TRUE);
  jpeg_start_decompress(&state);
  width = state.output_width, height = state.output_height;
  std::vector<uint8_t> rgb(size_t{3} * width * height);
  while (state.output_scanline < height) {
    JSAMPROW row = rgb.data() + size_t{3} * width * state.output_scanline;
    jpeg_read_scanlines(&state, &row, 1);
  }
  jpeg_finish_decompress(&state);
  jpeg_destroy_decompress(&state);
  return rgb;
}

TEST(Jpeg, IsReadAsWritten) {
  // Eight by eight pixels of one colour each, so that a block has no edges.
  constexpr std::array<std::array<uint8_t, 3>, 6> colours = {
      {{200, 30, 40}, {20, 180, 60}, {10, 20, 220}, {0, 0, 0}, {255, 255, 255}, {128, 90, 10}}};
  std::vector<uint8_t> rgb;
  for (size_t y = 0; y < 16; ++y) {
    for (size_t x = 0; x < 24; ++x) {
      const auto& colour = colours[y / 8 * 3 + x / 8];
      rgb.insert(rgb.end(), colour.begin(), colour.end());
    }
  }
  unsigned width = 0, height = 0;
  const std::vector<uint8_t> read = read_jpeg(jpeg_bytes(24, 16, rgb, 90), width, height);
  EXPECT_EQ(width, 24U);
  EXPECT_EQ(height, 16U);
  ASSERT_EQ(read.size(), rgb.size());
  for (size_t i = 0; i < rgb.size(); ++i) EXPECT_NEAR(read[i], rgb[i], 6) << i;
}

TEST(Jpeg, ThatCannotBeIsOneClearError) {
  try {
    (void)jpeg_bytes(0, 4, {}, 90);
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("an image cannot be written as JPEG: ")) << error.what();
  }
}

}  // namespace
}  // namespace astroclip::io
