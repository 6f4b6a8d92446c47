#include "io/output/jpeg.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
// clang-format off
#include <jpeglib.h>  // needs what <cstdio> declares
// clang-format on

#include "base/error.h"

namespace astroclip::io {

namespace {

/// The library ends by a jump where it fails, so that nothing with a destructor lives in the function that calls it.
struct JpegCall {
  jpeg_compress_struct state;
  jpeg_error_mgr errors;
  std::jmp_buf failed;
  char reason[JMSG_LENGTH_MAX];
  unsigned char* out;
  unsigned long size;
};

[[noreturn]] void end_call(j_common_ptr state) {
  auto* call = static_cast<JpegCall*>(state->client_data);
  state->err->format_message(state, call->reason);
  std::longjmp(call->failed, 1);
}

bool write_jpeg(JpegCall& call, unsigned width, unsigned height, const uint8_t* rgb, int quality) {
  call.state.err = jpeg_std_error(&call.errors);
  call.errors.error_exit = end_call;
  call.state.client_data = &call;
  if (setjmp(call.failed) != 0) return false;
  jpeg_create_compress(&call.state);
  jpeg_mem_dest(&call.state, &call.out, &call.size);
  call.state.image_width = width;
  call.state.image_height = height;
  call.state.input_components = 3;
  call.state.in_color_space = JCS_RGB;
  jpeg_set_defaults(&call.state);
  jpeg_set_quality(&call.state, quality, TRUE);
  call.state.optimize_coding = TRUE;
  for (int component = 0; component < 3; ++component) {
    call.state.comp_info[component].h_samp_factor = 1;
    call.state.comp_info[component].v_samp_factor = 1;
  }
  jpeg_start_compress(&call.state, TRUE);
  while (call.state.next_scanline < height) {
    auto* row = const_cast<JSAMPROW>(rgb + size_t{3} * width * call.state.next_scanline);  // only read
    jpeg_write_scanlines(&call.state, &row, 1);
  }
  jpeg_finish_compress(&call.state);
  return true;
}

}  // namespace

std::vector<std::byte> jpeg_bytes(int64_t width, int64_t height, std::span<const uint8_t> rgb, int quality) {
  const auto call = std::make_unique<JpegCall>();
  const bool is_whole =
      write_jpeg(*call, static_cast<unsigned>(width), static_cast<unsigned>(height), rgb.data(), quality);
  jpeg_destroy_compress(&call->state);
  const std::unique_ptr<unsigned char, void (*)(void*)> out(call->out, std::free);
  if (!is_whole) throw Error(std::string("an image cannot be written as JPEG: ") + call->reason);
  const auto bytes = std::as_bytes(std::span(call->out, call->size));
  return {bytes.begin(), bytes.end()};
}

}  // namespace astroclip::io
