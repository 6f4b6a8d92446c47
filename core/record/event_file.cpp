#include "record/event_file.h"

#include <array>
#include <bit>
#include <cstring>

#include "io/output/durable_file.h"

namespace astroclip::record {

namespace {

static_assert(std::endian::native == std::endian::little, "records are written in memory byte order");

template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

constexpr std::array<uint32_t, 256> crc_table() {
  constexpr uint32_t polynomial = 0x82F63B78;  // 0x1EDC6F41, bits reversed
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc % 2 == 1 ? polynomial : 0);
    table[byte] = crc;
  }
  return table;
}

/// TFRecord masks CRCs, because the CRC of data that contains CRCs is weak.
uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return std::rotr(crc, 15) + 0xA282EAD8;
}

// Protocol Buffers wire format: a field is its number and wire type, then the value.

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

enum Wire : uint64_t { integer = 0, eight_bytes = 1, length_delimited = 2, four_bytes = 5 };

std::string field(uint64_t number, Wire wire, const std::string& payload) {
  return varint(number << 3 | wire) + (wire == length_delimited ? varint(payload.size()) : "") + payload;
}

// Fields of Event, Summary and Summary.Value.
constexpr uint64_t wall_time = 1, event_step = 2, file_version = 3, summary = 5;
constexpr uint64_t value_of_summary = 1, tag = 1, simple_value = 2;

std::string scalar(const std::string& name, double number) {
  return field(
      value_of_summary, length_delimited,
      field(tag, length_delimited, name) + field(simple_value, four_bytes, bytes_of(static_cast<float>(number))));
}

/// Writes the version record that starts every event file, then the contents of a metrics file. Returns `path`.
const std::string& copied(const std::string& path, const std::string& metrics_path) {
  io::DurableFile file(path);
  file.write(
      tf_record(field(wall_time, eight_bytes, bytes_of(0.0)) + field(file_version, length_delimited, "brain.Event:2")));
  read_metrics(metrics_path, [&](const MetricsLine& line) { file.write(tf_record(event_of(line))); });
  file.commit();
  return path;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = crc_table();
  uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::string tf_record(std::string_view data) {
  const std::string length = bytes_of(static_cast<uint64_t>(data.size()));
  std::string record = length + bytes_of(masked_crc(length));
  record += data;
  return record + bytes_of(masked_crc(data));
}

std::string event_of(const MetricsLine& line) {
  double time = 0.0;
  std::string scalars;
  for (const auto& [name, value] : line.values) {
    if (name == "time") {
      time = value;
    } else {
      scalars += scalar(line.stage + "/" + name, value);
    }
  }
  return field(wall_time, eight_bytes, bytes_of(time)) +
         field(event_step, integer, varint(static_cast<uint64_t>(line.step))) +
         field(summary, length_delimited, scalars);
}

EventFile::EventFile(const std::string& path, const std::string& metrics_path)
    : file_(copied(path, metrics_path), io::OutputFile::Mode::append) {}

}  // namespace astroclip::record
