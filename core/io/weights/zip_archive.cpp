#include "io/weights/zip_archive.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libdeflate.h>

#include <cstring>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/printable.h"

namespace astroclip::io {

namespace {

constexpr uint32_t local_signature = 0x04034B50;
constexpr uint32_t entry_signature = 0x02014B50;
constexpr uint32_t end_signature = 0x06054B50;
constexpr uint32_t end64_signature = 0x06064B50;
constexpr uint32_t locator64_signature = 0x07064B50;
constexpr uint64_t local_bytes = 30, entry_bytes = 46, end_bytes = 22, end64_bytes = 56, locator64_bytes = 20;
constexpr uint64_t longest_comment = 0xFFFF;
constexpr uint64_t most_entries = 1'000'000;
constexpr uint32_t in_zip64 = 0xFFFFFFFF;

}  // namespace

ZipArchive::ZipArchive(std::span<const std::byte> bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {
  read_directory();
}

bool ZipArchive::looks_like_one(std::span<const std::byte> bytes) {
  uint32_t word = 0;
  if (bytes.size() < sizeof(word)) return false;
  std::memcpy(&word, bytes.data(), sizeof(word));
  return word == local_signature;
}

std::string ZipArchive::some_names() const {
  constexpr size_t most = 4;
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (names.size() < most) names.push_back(printable(name, 80));
  }
  return fmt::format("{}{}", fmt::join(names, ", "), entries_.size() > most ? ", …" : "");
}

std::span<const std::byte> ZipArchive::bytes_of(const std::string& name) const {
  const Entry& entry = entries_.at(name);
  if (entry.method != 0) {
    refuse(
        fmt::format("entry '{}' is compressed (method {}), and PyTorch stores its entries uncompressed; unzip the "
                    "archive and pack it again with zip -0",
                    name, entry.method));
  }
  return bytes_.subspan(static_cast<size_t>(entry.offset), static_cast<size_t>(entry.size));
}

void ZipArchive::verify(const std::string& name) const {
  const std::span<const std::byte> bytes = bytes_of(name);
  const uint32_t checksum = entries_.at(name).checksum;
  if (checksum != 0 && checksum != libdeflate_crc32(0, bytes.data(), bytes.size())) {
    refuse(fmt::format("entry '{}' is damaged (its checksum differs)", name));
  }
}

void ZipArchive::refuse(const std::string& reason) const {
  throw Error(fmt::format("{}: not a valid zip archive: {}", path_, printable(reason)));
}

template <class T>
T ZipArchive::at(uint64_t offset) const {
  T value;
  std::memcpy(&value, bytes_.data() + offset, sizeof(T));
  return value;
}

void ZipArchive::expect(uint64_t offset, uint64_t count, const char* what) const {
  if (offset > bytes_.size() || count > bytes_.size() - offset) {
    refuse(fmt::format("{} at byte {} needs {} bytes, but the file has {}", what, offset, count, bytes_.size()));
  }
}

uint64_t ZipArchive::find_end() const {
  const uint64_t size = bytes_.size();
  for (uint64_t back = end_bytes; back <= size && back <= end_bytes + longest_comment; ++back) {
    const uint64_t end = size - back;
    if (at<uint32_t>(end) == end_signature && at<uint16_t>(end + 20) == back - end_bytes) return end;
  }
  refuse("no central directory at its end (is the file truncated?)");
}

void ZipArchive::read_directory() {
  const uint64_t end = find_end();
  uint64_t count = at<uint16_t>(end + 10);
  uint64_t size = at<uint32_t>(end + 12);
  uint64_t begin = at<uint32_t>(end + 16);
  uint32_t disk = at<uint16_t>(end + 4);
  if (end >= locator64_bytes && at<uint32_t>(end - locator64_bytes) == locator64_signature) {
    const auto end64 = at<uint64_t>(end - locator64_bytes + 8);
    expect(end64, end64_bytes, "the zip64 end record");
    if (at<uint32_t>(end64) != end64_signature) refuse(fmt::format("no zip64 end record at byte {}", end64));
    disk = at<uint32_t>(end64 + 16);
    count = at<uint64_t>(end64 + 32);
    size = at<uint64_t>(end64 + 40);
    begin = at<uint64_t>(end64 + 48);
  }
  if (disk != 0) refuse("it is split over several disks");
  if (count > most_entries) refuse(fmt::format("{} entries; at most {} are supported", count, most_entries));
  expect(begin, size, "the directory");
  uint64_t header = begin;
  for (uint64_t i = 0; i < count; ++i) header = read_entry(header, begin + size);
}

/// Returns the offset of the next entry.
uint64_t ZipArchive::read_entry(uint64_t header, uint64_t directory_end) {
  if (directory_end - header < entry_bytes || at<uint32_t>(header) != entry_signature) {
    refuse(fmt::format("no directory entry at byte {}", header));
  }
  const uint64_t name_bytes = at<uint16_t>(header + 28);
  const uint64_t extra_bytes = at<uint16_t>(header + 30);
  const uint64_t total = entry_bytes + name_bytes + extra_bytes + at<uint16_t>(header + 32);
  if (directory_end - header < total) refuse(fmt::format("the directory entry at byte {} is cut off", header));
  const std::string name(reinterpret_cast<const char*>(bytes_.data() + header + entry_bytes), name_bytes);
  const auto flags = at<uint16_t>(header + 8);
  const auto method = at<uint16_t>(header + 10);
  if ((flags & 0x2041) != 0) refuse(fmt::format("entry '{}' is encrypted", name));
  uint64_t stored = at<uint32_t>(header + 20);
  uint64_t size = at<uint32_t>(header + 24);
  uint64_t local = at<uint32_t>(header + 42);
  // The zip64 field holds, in this order, those of the three values that do not fit into 32 bits.
  uint64_t field = header + entry_bytes + name_bytes;
  const uint64_t fields_end = field + extra_bytes;
  while (fields_end - field >= 4) {
    uint64_t from = field + 4;
    const uint64_t to = from + at<uint16_t>(field + 2);
    if (to > fields_end) break;
    for (uint64_t* value : {&size, &stored, &local}) {
      if (at<uint16_t>(field) != 1 || *value != in_zip64) continue;
      if (to - from < 8) refuse(fmt::format("entry '{}' lacks its zip64 sizes", name));
      *value = at<uint64_t>(from);
      from += 8;
    }
    field = to;
  }
  if (method == 0 && stored != size)
    refuse(fmt::format("entry '{}' is uncompressed but stores {} bytes for {}", name, stored, size));
  const uint64_t data = data_offset(local, name);
  expect(data, stored, "an entry");
  if (!entries_
           .try_emplace(
               name, Entry{static_cast<int64_t>(data), static_cast<int64_t>(stored), at<uint32_t>(header + 16), method})
           .second) {
    refuse(fmt::format("entry '{}' is listed twice", name));
  }
  return header + total;
}

uint64_t ZipArchive::data_offset(uint64_t local_header, const std::string& name) const {
  expect(local_header, local_bytes, "a header");
  if (at<uint32_t>(local_header) != local_signature) {
    refuse(fmt::format("no header of entry '{}' at byte {}", name, local_header));
  }
  const uint64_t name_bytes = at<uint16_t>(local_header + 26);
  expect(local_header + local_bytes, name_bytes, "a name");
  if (std::string_view(reinterpret_cast<const char*>(bytes_.data() + local_header + local_bytes), name_bytes) != name) {
    refuse(fmt::format("the header at byte {} is not that of entry '{}'", local_header, name));
  }
  const uint64_t data = local_header + local_bytes + name_bytes + at<uint16_t>(local_header + 28);
  expect(local_header, data - local_header, "a header");
  // Extra fields must fill their space exactly, so that a damaged length cannot shift the data.
  uint64_t field = local_header + local_bytes + name_bytes;
  while (data - field >= 4 && at<uint16_t>(field + 2) <= data - field - 4) field += 4 + at<uint16_t>(field + 2);
  if (field != data) refuse(fmt::format("the extra fields of entry '{}' do not fit", name));
  return data;
}

}  // namespace astroclip::io
