#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <vector>

#include "io/tile_codes_internal.h"

namespace astroclip::io {

namespace {

constexpr size_t bits_of_byte = 8;

/// The bits of a code, the highest of a byte first; beyond its end there are zeros.
class CodeBits {
 public:
  explicit CodeBits(std::span<const unsigned char> code) : code_(code) {}

  bool is_beyond() const { return position_ > bits_of_byte * code_.size(); }
  void skip(size_t count) { position_ += count; }
  void skip_all() { position_ = bits_of_byte * code_.size() + 1; }
  void skip_to_byte() { position_ = (position_ + bits_of_byte - 1) / bits_of_byte * bits_of_byte; }
  unsigned take(unsigned count) {
    const auto bits = static_cast<unsigned>(ahead() >> (sizeof(uint64_t) * bits_of_byte - count));
    skip(count);
    return bits;
  }
  /// Goes behind the next bit that is set, or beyond the end.
  void skip_zeros() {
    uint64_t bits = ahead();
    for (; bits == 0 && !is_beyond(); bits = ahead()) skip(surely_ahead);
    skip(static_cast<size_t>(std::countl_zero(bits)) + 1);
  }

 private:
  static constexpr size_t surely_ahead = 57;

  /// The next bits from the highest on, at least `surely_ahead` of them.
  uint64_t ahead() const {
    const size_t at = position_ / bits_of_byte;
    uint64_t bits = 0;
    if (at + sizeof(bits) <= code_.size()) {
      std::memcpy(&bits, code_.data() + at, sizeof(bits));
      if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap64(bits);
    } else {
      for (size_t i = at; i < at + sizeof(bits); ++i) bits = bits << bits_of_byte | (i < code_.size() ? code_[i] : 0U);
    }
    return bits << position_ % bits_of_byte;
  }

  std::span<const unsigned char> code_;
  size_t position_ = 0;
};

/// A number by H-compress's fixed prefix code of four bits' values.
unsigned take_prefix_code(CodeBits& bits) {
  constexpr std::array<unsigned, 4> of_three = {1, 2, 4, 8};
  constexpr std::array<unsigned, 5> of_four = {3, 5, 10, 12, 15}, of_five = {6, 7, 9, 11, 13};
  constexpr unsigned four_begin = 8, five_begin = 26, zero = 62, last = 14;
  unsigned code = bits.take(3);
  if (code < of_three.size()) return of_three[code];
  code = code << 1U | bits.take(1);
  if (code < four_begin + of_four.size()) return of_four[code - four_begin];
  code = code << 1U | bits.take(1);
  if (code < five_begin + of_five.size()) return of_five[code - five_begin];
  code = code << 1U | bits.take(1);
  return code == zero ? 0 : last;
}

/// Rows and columns of flags, or of nodes of a quadtree: the highest of a node's four bits is of its upper left.
struct Grid {
  size_t rows = 0, columns = 0;
  std::vector<unsigned char> values;

  Grid(size_t of_rows, size_t of_columns) : rows(of_rows), columns(of_columns), values(of_rows * of_columns) {}
};

/// The flags of a level that has twice as many rows and columns, or one less.
Grid expanded(const Grid& nodes, size_t rows, size_t columns) {
  Grid flags(rows, columns);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      const unsigned node = nodes.values[row / 2 * nodes.columns + column / 2];
      flags.values[row * columns + column] = node >> (3 - row % 2 * 2 - column % 2) & 1U;
    }
  }
  return flags;
}

/// The nodes above a plane of so many rows and columns, which are four bits each.
Grid take_plain_nodes(CodeBits& bits, size_t rows, size_t columns) {
  constexpr unsigned node_bits = 4;
  Grid nodes((rows + 1) / 2, (columns + 1) / 2);
  for (unsigned char& node : nodes.values) node = static_cast<unsigned char>(bits.take(node_bits));
  return nodes;
}

/// The same from a quadtree: of a level only the nodes are there whose flags the level above sets, the last first.
Grid take_tree_nodes(CodeBits& bits, size_t rows, size_t columns) {
  const auto up = [](size_t extent, int levels) { return (extent + (size_t{1} << levels) - 1) >> levels; };
  Grid nodes(1, 1);
  nodes.values[0] = static_cast<unsigned char>(take_prefix_code(bits));
  for (int level = std::bit_width(std::max(rows, columns) - 1) - 1; level > 0; --level) {
    nodes = expanded(nodes, up(rows, level), up(columns, level));
    for (size_t i = nodes.values.size(); i-- > 0;) {
      if (nodes.values[i] != 0) nodes.values[i] = static_cast<unsigned char>(take_prefix_code(bits));
    }
  }
  return nodes;
}

/// How many coefficients of a quadrant are not 0. Damaged code takes the bits beyond their end.
size_t take_quadrant(CodeBits& bits, size_t rows, size_t columns, unsigned planes) {
  constexpr unsigned format_bits = 4, plain = 0, tree = 15;
  Grid is_set(rows, columns);
  for (unsigned plane = 0; plane < planes && !bits.is_beyond(); ++plane) {
    const unsigned format = bits.take(format_bits);
    if (format != plain && format != tree) bits.skip_all();
    const Grid flags = expanded(
        format == plain ? take_plain_nodes(bits, rows, columns) : take_tree_nodes(bits, rows, columns), rows, columns);
    std::ranges::transform(is_set.values, flags.values, is_set.values.begin(), std::bit_or());
  }
  return static_cast<size_t>(std::ranges::count(is_set.values, 1));
}

}  // namespace

bool has_rice_pixels(std::span<const unsigned char> code, int64_t pixels, int64_t block, int bytes) {
  // How many bits tell a block's number of low bits, increased by 1, and which number says that pixels are not coded.
  const unsigned number_bits = bytes == 1 ? 3 : bytes == 2 ? 4 : 5, uncoded = bytes == 1 ? 7 : bytes == 2 ? 15 : 26;
  const size_t pixel_bits = bits_of_byte * static_cast<size_t>(bytes);
  CodeBits bits(code);
  bits.skip(pixel_bits);
  while (pixels > 0) {
    const int64_t here = std::min(block, pixels);
    const unsigned number = bits.take(number_bits);
    if (number == uncoded) {
      bits.skip(pixel_bits * static_cast<size_t>(here));
    } else if (number > 0) {
      for (int64_t pixel = 0; pixel < here && !bits.is_beyond(); ++pixel) {
        bits.skip_zeros();
        bits.skip(number - 1);
      }
    }
    if (bits.is_beyond()) return false;
    pixels -= here;
  }
  return true;
}

bool has_hcompress_pixels(std::span<const unsigned char> code, int64_t pixels) {
  constexpr size_t rows_at = 2, columns_at = 6, planes_at = 22, header = 25;
  if (code.size() < header || code[0] != 0xDD || code[1] != 0x99) return false;
  const auto number = [&](size_t at) {
    size_t value = 0;
    for (const unsigned char byte : code.subspan(at, sizeof(uint32_t))) value = value << bits_of_byte | byte;
    return value;
  };
  const size_t rows = number(rows_at), columns = number(columns_at);
  if (rows < 2 || columns < 2 || rows * columns != static_cast<size_t>(pixels)) return false;
  const auto planes = code.subspan(planes_at, 3);
  CodeBits bits(code);
  bits.skip(bits_of_byte * header);
  const size_t more_rows = (rows + 1) / 2, more_columns = (columns + 1) / 2;
  size_t signs = take_quadrant(bits, more_rows, more_columns, planes[0]);
  signs += take_quadrant(bits, more_rows, columns / 2, planes[1]);
  signs += take_quadrant(bits, rows / 2, more_columns, planes[1]);
  signs += take_quadrant(bits, rows / 2, columns / 2, planes[2]);
  constexpr unsigned end_bits = 4;
  if (bits.take(end_bits) != 0) return false;
  bits.skip_to_byte();
  bits.skip(signs);
  return !bits.is_beyond();
}

bool has_plio_list(std::span<const int16_t> words) {
  constexpr size_t old_header = 3, header = 5;
  constexpr int64_t digit = 1 << 15;
  if (words.size() < old_header) return false;
  const bool is_old = words[2] > 0;
  if (!is_old && words.size() < header) return false;
  const int64_t begin = is_old ? int64_t{old_header} : words[1], end = is_old ? words[2] : words[3] + digit * words[4];
  if (begin < 0 || end < 1 || end > std::ssize(words)) return false;
  constexpr int instruction = 4096, set_value = 1;  // the latter takes the next word, too
  int64_t at = begin;
  while (at < end) at += words[static_cast<size_t>(at)] / instruction == set_value ? 2 : 1;
  return at <= std::max(begin, std::ssize(words));
}

int64_t gzip_size(std::span<const unsigned char> code, size_t most) {
  using Decompressor = std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)>;
  thread_local const Decompressor decompressor(libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  const auto unpacked = std::make_unique_for_overwrite<unsigned char[]>(most);
  size_t read = 0, size = 0;
  const auto result =
      libdeflate_gzip_decompress_ex(decompressor.get(), code.data(), code.size(), unpacked.get(), most, &read, &size);
  return result == LIBDEFLATE_SUCCESS ? static_cast<int64_t>(size) : -1;
}

}  // namespace astroclip::io
