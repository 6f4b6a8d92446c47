#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "io/hdf5/global_heap_internal.h"

namespace astroclip::io {

namespace {

using Bytes = std::span<const unsigned char>;

constexpr size_t checksum_bytes = 4;

/// The checksum of HDF5's metadata: lookup3 by Bob Jenkins (burtleburtle.net/bob/c/lookup3.c, hashlittle).
uint32_t lookup3(Bytes bytes) {
  const uint32_t start = 0xDEADBEEFU + static_cast<uint32_t>(bytes.size());
  std::array<uint32_t, 3> s = {start, start, start};
  const auto add = [&](Bytes block) {
    for (size_t i = 0; i < block.size(); ++i) s[i / 4] += static_cast<uint32_t>(block[i]) << 8 * (i % 4);
  };
  constexpr size_t block = 12;
  for (; bytes.size() > block; bytes = bytes.subspan(block)) {
    add(bytes.first(block));
    size_t from = 2, to = 0;
    for (const int bits : {4, 6, 8, 16, 19, 4}) {
      s[to] -= s[from];
      s[to] ^= std::rotl(s[from], bits);
      s[from] += s[3 - from - to];
      from = to;
      to = (to + 1) % 3;
    }
  }
  if (bytes.empty()) return s[2];
  add(bytes);
  size_t from = 1, to = 2;
  for (const int bits : {14, 11, 25, 16, 4, 14, 24}) {
    s[to] = (s[to] ^ s[from]) - std::rotl(s[from], bits);
    from = to;
    to = (to + 1) % 3;
  }
  return s[2];
}

/// Where a text that ends with a zero ends; none if there is no such text.
std::optional<size_t> end_of_text(Bytes object, size_t at) {
  const auto begin = object.begin() + static_cast<std::ptrdiff_t>(std::min(at, object.size()));
  const auto end = std::find(begin, object.end(), 0);
  const auto is_letter = [](unsigned char c) { return c >= ' ' && c != 0x7F; };
  if (end == object.end() || end == begin || !std::all_of(begin, end, is_letter)) return std::nullopt;
  return static_cast<size_t>(end - object.begin()) + 1;
}

/// A version of 0, how many parts there are, and of the first a file, a dataset, and what is selected in it.
bool looks_like_parts(Bytes object, size_t length) {
  constexpr uint64_t most_kinds = 4;  // of selections
  if (object.size() < 1 + length + checksum_bytes || object[0] != 0) return false;
  const auto file = end_of_text(object, 1 + length);
  const auto dataset = file ? end_of_text(object, *file) : std::nullopt;
  return dataset && *dataset + 2 * checksum_bytes <= object.size() && little_endian(object, *dataset, 4) < most_kinds;
}

bool is_sound_object(Bytes object, size_t length) {
  if (!looks_like_parts(object, length)) return true;
  const size_t end = object.size() - checksum_bytes;
  return lookup3(object.first(end)) == little_endian(object, end, checksum_bytes);
}

}  // namespace

uint64_t little_endian(Bytes bytes, size_t at, size_t size) {
  uint64_t number = 0;
  for (size_t i = size; i-- > 0;) number = number << 8U | bytes[at + i];
  return number;
}

bool is_heap_collection(Bytes bytes) {
  constexpr std::array<unsigned char, 5> begin = {'G', 'C', 'O', 'L', 1};
  return bytes.size() >= begin.size() && std::equal(begin.begin(), begin.end(), bytes.begin());
}

std::optional<HeapObjects> objects_of_heap(Bytes heap, size_t length) {
  constexpr size_t before_length = 8, alignment = 8;
  const size_t header = (before_length + length + alignment - 1) / alignment * alignment;
  HeapObjects objects;
  for (size_t at = header; at + header <= heap.size();) {
    const uint64_t number = little_endian(heap, at, 2), size = little_endian(heap, at + before_length, length);
    if (size > heap.size()) return std::nullopt;
    // Object 0 is the free space, which counts its own header.
    const uint64_t taken = number == 0 ? size : header + (size + alignment - 1) / alignment * alignment;
    if (taken == 0 || taken > heap.size() - at) return std::nullopt;
    if (number != 0) {
      if (!is_sound_object(heap.subspan(at + header, size), length)) return std::nullopt;
      objects[number] = size;
    }
    at += taken;
  }
  return objects;
}

}  // namespace astroclip::io
