#include "io/hdf5/chunk_filters.h"

#include <fmt/format.h>
#include <libdeflate.h>
#include <lzf.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/error.h"

namespace astroclip::io {

namespace {

[[noreturn]] void wrong_size(size_t found, size_t expected) {
  throw Error(fmt::format("it holds {} bytes, expected {}", found, expected));
}

void inflate(std::span<const std::byte> from, std::span<std::byte> to) {
  using Decompressor = std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)>;
  thread_local const Decompressor decompressor(libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  size_t filled = 0;
  switch (libdeflate_zlib_decompress(decompressor.get(), from.data(), from.size(), to.data(), to.size(), &filled)) {
    case LIBDEFLATE_SUCCESS:
      if (filled != to.size()) wrong_size(filled, to.size());
      return;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      throw Error(fmt::format("it holds more than {} bytes", to.size()));
    default:
      throw Error("its deflate stream cannot be decoded");
  }
}

template <size_t element>
void unshuffle_elements(const std::byte* from, std::byte* to, size_t count) {
  for (size_t i = 0; i < count; ++i)
    for (size_t byte = 0; byte < element; ++byte) to[i * element + byte] = from[byte * count + i];
}

/// First bytes of all elements, then all second bytes …, to elements.
void unshuffle(std::span<const std::byte> from, std::span<std::byte> to, int64_t element) {
  if (from.size() != to.size()) wrong_size(from.size(), to.size());
  if (element == 4)
    unshuffle_elements<4>(from.data(), to.data(), to.size() / 4);
  else
    unshuffle_elements<8>(from.data(), to.data(), to.size() / 8);
}

}  // namespace

void expand_lzf(std::span<const std::byte> from, std::span<std::byte> to) {
  // liblzf reads the first byte without looking whether there is one.
  const size_t filled = from.empty() ? 0
                                     : lzf_decompress(from.data(), static_cast<unsigned>(from.size()), to.data(),
                                                      static_cast<unsigned>(to.size()));
  if (filled == to.size()) return;
  if (filled == 0 && !from.empty() && errno == E2BIG)
    throw Error(fmt::format("it holds more than {} bytes", to.size()));
  if (filled == 0) throw Error("its LZF stream cannot be decoded");
  wrong_size(filled, to.size());
}

void undo_filters(std::span<const ChunkFilter> filters, uint32_t skipped, int64_t element, std::vector<std::byte>& raw,
                  std::span<std::byte> out) {
  thread_local std::vector<std::byte> other;
  std::vector<ChunkFilter> applied;
  for (size_t i = filters.size(); i > 0; --i)
    if ((skipped >> (i - 1) & 1) == 0) applied.push_back(filters[i - 1]);
  if (applied.empty()) {
    if (raw.size() != out.size()) wrong_size(raw.size(), out.size());
    std::ranges::copy(raw, out.begin());
  }
  for (size_t i = 0; i < applied.size(); ++i) {
    const bool is_last = i + 1 == applied.size();
    if (!is_last) other.resize(out.size());
    const std::span<std::byte> to = is_last ? out : std::span(other);
    if (applied[i] == ChunkFilter::deflate)
      inflate(raw, to);
    else if (applied[i] == ChunkFilter::lzf)
      expand_lzf(raw, to);
    else
      unshuffle(raw, to, element);
    if (!is_last) raw.swap(other);
  }
}

void require_unpacked(std::span<const ChunkFilter> filters, uint32_t skipped, std::vector<std::byte>& raw,
                      size_t bytes) {
  constexpr size_t checksum = 4;
  constexpr size_t most_of_byte = 1032;  // deflate's longest match of 258 bytes takes two bits
  const auto is_applied = [&](size_t i) { return (skipped >> i & 1) == 0; };
  std::vector<std::byte> unpacked;
  for (size_t i = filters.size(); i-- > 0;) {
    if (!is_applied(i) || filters[i] == ChunkFilter::shuffle) continue;
    if (filters[i] == ChunkFilter::checksum) {
      if (raw.size() < checksum) wrong_size(raw.size(), checksum);
      raw.resize(raw.size() - checksum);
      continue;
    }
    size_t expected = bytes;
    for (size_t before = 0; before < i; ++before)
      if (is_applied(before) && filters[before] == ChunkFilter::checksum) expected += checksum;
    if (expected / most_of_byte > raw.size()) throw Error(fmt::format("it holds fewer than {} bytes", expected));
    unpacked.resize(expected);
    if (filters[i] == ChunkFilter::deflate)
      inflate(raw, unpacked);
    else
      expand_lzf(raw, unpacked);
    raw.swap(unpacked);
  }
  if (raw.size() != bytes) wrong_size(raw.size(), bytes);
}

}  // namespace astroclip::io
