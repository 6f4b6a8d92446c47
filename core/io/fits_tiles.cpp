#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "io/fits_file_internal.h"
#include "io/tile_codes_internal.h"

namespace astroclip::io {

namespace {

/// What a tile has in a column of the table that holds the image; nothing where cfitsio itself refuses to read it.
template <class T>
std::vector<T> packed(fitsfile* file, int column, int64_t tile, int type) {
  LONGLONG count = 0, offset = 0;
  int status = 0, any_undefined = 0;
  fits_read_descriptll(file, column, tile, &count, &offset, &status);
  if (count < 0 || count > file->Fptr->heapsize)
    throw Error(fmt::format("has {} elements in a heap of {} bytes", count, file->Fptr->heapsize));
  std::vector<T> values(status == 0 ? static_cast<size_t>(count) : 0);
  T undefined = 0;
  fits_read_col(file, type, column, tile, 1, std::ssize(values), &undefined, values.data(), &any_undefined, &status);
  if (status != 0) fits_clear_errmsg();
  return values;
}

bool has_pixels(const FITSfile& image, std::span<const unsigned char> code, int64_t pixels) {
  // What cfitsio gives for pixels that were packed as floating-point numbers, not as integers.
  constexpr float not_quantised = 9999;
  const bool is_short = image.rice_bytepix == 1 || image.rice_bytepix == 2;
  if (image.compress_type == RICE_1)
    return has_rice_pixels(code, pixels, image.rice_blocksize, is_short ? image.rice_bytepix : 4);
  if (image.compress_type == HCOMPRESS_1) return has_hcompress_pixels(code, pixels);
  if (image.compress_type != GZIP_1 && image.compress_type != GZIP_2) return true;  // cfitsio has no other decoder
  const int64_t size = gzip_size(code, sizeof(double) * static_cast<size_t>(pixels));
  if (image.quantize_level == not_quantised) return size == 4 * pixels || size == 8 * pixels;
  return size == pixels || size == 2 * pixels || size == 4 * pixels;
}

/// Throws Error saying what a tile of the current HDU lacks.
void check_tile(fitsfile* file, int64_t tile, int64_t pixels) {
  const FITSfile& image = *file->Fptr;
  const auto without_pixels = [&](size_t count, std::string_view packing) {
    return Error(fmt::format("does not have its {} pixels in {} {}", pixels, count, packing));
  };
  if (image.compress_type == PLIO_1) {
    const auto words = packed<int16_t>(file, image.cn_compressed, tile, TSHORT);
    if (!words.empty() && !has_plio_list(words)) throw without_pixels(words.size(), "words of PLIO_1");
    if (!words.empty()) return;
  } else {
    const auto code = packed<unsigned char>(file, image.cn_compressed, tile, TBYTE);
    if (!code.empty() && !has_pixels(image, code, pixels))
      throw without_pixels(code.size(), fmt::format("bytes of {}", image.zcmptype));
    if (!code.empty()) return;
  }
  if (image.cn_uncompressed > 0) {
    const auto values = packed<double>(file, image.cn_uncompressed, tile, TDOUBLE);
    if (std::ssize(values) != pixels) throw without_pixels(values.size(), "numbers");
  } else if (image.cn_gzip_data > 0) {
    const auto code = packed<unsigned char>(file, image.cn_gzip_data, tile, TBYTE);
    const auto size = (image.zbitpix == FLOAT_IMG ? sizeof(float) : sizeof(double)) * static_cast<size_t>(pixels);
    if (gzip_size(code, size) != static_cast<int64_t>(size)) throw without_pixels(code.size(), "bytes of gzip");
  }
}

}  // namespace

void FitsFile::State::check_tiles(const FitsHdu& hdu, std::span<const int64_t> first, std::span<const int64_t> extent) {
  const FITSfile& image = *file->Fptr;
  if (image.compressimg == 0) return;
  const auto axes = static_cast<size_t>(image.zndim), index = static_cast<size_t>(&hdu - hdus.data());
  std::array<int64_t, MAX_COMPRESS_DIM> begin = {}, end = {}, at = {};
  int64_t most = 1;
  for (size_t axis = 0; axis < axes; ++axis) {  // cfitsio's axes have the fastest first
    const int64_t pixel = first[axes - 1 - axis], side = image.tilesize[axis];
    begin[axis] = at[axis] = pixel / side;
    end[axis] = (pixel + extent[axes - 1 - axis] + side - 1) / side;
    if (extent[axes - 1 - axis] == 0) return;
    if (__builtin_mul_overflow(most, side, &most) || most > std::numeric_limits<int>::max())
      throw Error(fmt::format("{}: {}: its tiles of {} pixels and more cannot be read", path, label(index), most));
  }
  const bool is_dithered =
      image.quantize_method == SUBTRACTIVE_DITHER_1 || image.quantize_method == SUBTRACTIVE_DITHER_2;
  constexpr int most_seed = 1 << 30;  // to which cfitsio adds the tile's number, for a place in its random numbers
  if (is_dithered && (image.dither_seed < 1 || image.dither_seed > most_seed))
    throw Error(fmt::format("{}: is damaged: {} has ZDITHER0 = {}", path, label(index), image.dither_seed));
  sound_tiles.resize(hdus.size());
  std::vector<bool>& is_sound = sound_tiles[index];
  is_sound.resize(static_cast<size_t>(image.numrows));
  while (at[axes - 1] < end[axes - 1]) {
    int64_t tile = 0, stride = 1, pixels = 1;
    for (size_t axis = 0; axis < axes; ++axis) {
      const int64_t side = image.tilesize[axis], whole = image.znaxis[axis];
      tile += stride * at[axis];
      pixels *= std::min(side, whole - at[axis] * side);
      stride *= (whole - 1) / side + 1;
    }
    if (!is_sound[static_cast<size_t>(tile)]) {
      try {
        check_tile(file, tile + 1, pixels);
      } catch (const Error& error) {
        throw Error(fmt::format("{}: is damaged: tile {} of {} {}", path, tile + 1, label(index), error.what()));
      }
      is_sound[static_cast<size_t>(tile)] = true;
    }
    ++at[0];
    for (size_t axis = 0; axis + 1 < axes && at[axis] == end[axis]; ++axis) {
      at[axis] = begin[axis];
      ++at[axis + 1];
    }
  }
}

}  // namespace astroclip::io
