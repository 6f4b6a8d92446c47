#include "io/weights/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/printable.h"
#include "io/file_format.h"
#include "io/mapped_file.h"
#include "io/output/durable_file.h"
#include "io/weights/elements.h"

namespace astroclip::io {

namespace {

using Json = nlohmann::json;

constexpr int64_t length_bytes = 8;
constexpr int64_t largest_extent = int64_t{1} << 40;
constexpr int64_t largest_header = 100'000'000;  // the format's own limit

/// An element type as the file names it.
struct FileType {
  const char* name;
  ElementType type;
};
constexpr FileType file_types[] = {
    {"F64", ElementType::f64}, {"F32", ElementType::f32},      {"F16", ElementType::f16}, {"BF16", ElementType::bf16},
    {"I64", ElementType::i64}, {"I32", ElementType::i32},      {"I16", ElementType::i16}, {"I8", ElementType::i8},
    {"U8", ElementType::u8},   {"BOOL", ElementType::boolean},
};

/// Types that the format knows and that cannot be read.
struct OpaqueType {
  const char* name;
  int64_t bits;
};
constexpr OpaqueType opaque_types[] = {
    {"U16", 16},    {"U32", 32},    {"U64", 64},    {"C64", 64},        {"F8_E4M3", 8}, {"F8_E5M2", 8},
    {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E4M3FNUZ", 8}, {"F4", 4},      {"F8_E5M2FNUZ", 8},
};

const OpaqueType* find_opaque(const std::string& name) {
  const auto* found = std::ranges::find(opaque_types, name, &OpaqueType::name);
  return found == std::end(opaque_types) ? nullptr : found;
}

const FileType* find_type(const std::string& name) {
  const auto* found = std::ranges::find_if(file_types, [&](const FileType& type) { return name == type.name; });
  return found == std::end(file_types) ? nullptr : found;
}

struct Stored {
  std::string name;
  std::optional<SafetensorsFile::Entry> entry;  // none if the tensor cannot be read
  std::string reason;                           // why not
  int64_t begin;                                // from the start of the file
  int64_t end;
};

std::optional<int64_t> as_count(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) return std::nullopt;
  const auto number = value.get<int64_t>();
  if (number < 0) return std::nullopt;
  return number;
}

[[noreturn]] void not_safetensors(const std::string& path, const std::string& reason) {
  throw Error(fmt::format("{}: not a valid safetensors file: {}", path, printable(reason)));
}

Stored parse_entry(const std::string& path, const std::string& name, const Json& value, int64_t data_begin,
                   int64_t file_bytes) {
  const auto bad = [&](const std::string& reason) {
    not_safetensors(path, fmt::format("tensor '{}' {}", name, reason));
  };
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets")) {
    bad("lacks dtype, shape or data_offsets");
  }
  const std::string type_name = value["dtype"].is_string() ? value["dtype"].get<std::string>() : "";
  const FileType* type = find_type(type_name);
  const OpaqueType* opaque = find_opaque(type_name);
  if (type == nullptr && opaque == nullptr) bad(fmt::format("has the unknown dtype {}", value["dtype"].dump()));
  if (!value["shape"].is_array()) bad("has an invalid shape");
  std::vector<int64_t> extents;
  constexpr int64_t bits_of_byte = 8;
  int64_t bits = type != nullptr ? bits_of_byte * size_of(type->type) : opaque->bits;
  for (const Json& extent : value["shape"]) {
    const auto count = as_count(extent);
    if (!count || *count > largest_extent || __builtin_mul_overflow(bits, *count, &bits)) bad("has an invalid shape");
    extents.push_back(*count);
  }
  const Json& offsets = value["data_offsets"];
  const auto begin = offsets.is_array() && offsets.size() == 2 ? as_count(offsets[0]) : std::nullopt;
  const auto end = begin ? as_count(offsets[1]) : std::nullopt;
  if (!begin || !end || *end < *begin) bad("has invalid data_offsets");
  if (*end > file_bytes - data_begin) {
    bad(fmt::format("ends at byte {} of the data, which has {} bytes (is the file truncated?)", *end,
                    file_bytes - data_begin));
  }
  if (bits % bits_of_byte != 0 || *end - *begin != bits / bits_of_byte) {
    bad(fmt::format("has {} bytes, but its shape and dtype need {}", *end - *begin, bits / bits_of_byte));
  }
  Stored stored{name, std::nullopt, "", data_begin + *begin, data_begin + *end};
  if (extents.size() > Shape::max_rank) {
    stored.reason = fmt::format("{} axes; at most {} are supported", extents.size(), Shape::max_rank);
  } else if (type == nullptr) {
    stored.reason = fmt::format("{} {}", type_name, Shape(extents).str());
  } else {
    stored.entry = {name, type->type, Shape(extents)};
  }
  return stored;
}

/// Parses the header. A repeated key is an error; a JSON parser alone would keep the last one.
Json parse_header(const std::string& path, const char* begin, const char* end) {
  std::vector<std::string> names;
  std::set<std::string> keys;  // of the current entry
  const auto collect = [&](int depth, Json::parse_event_t event, const Json& parsed) {
    if (event != Json::parse_event_t::key) return true;
    if (depth == 1) {
      names.push_back(parsed.get<std::string>());
      keys.clear();
    } else if (depth == 2) {
      const auto [key, is_new] = keys.insert(parsed.get<std::string>());
      if (!is_new) not_safetensors(path, fmt::format("'{}' appears twice in '{}'", *key, names.back()));
    }
    return true;
  };
  Json header = Json::parse(begin, end, collect, false);
  if (header.is_discarded() || !header.is_object()) not_safetensors(path, "its header is not a JSON object");
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) not_safetensors(path, fmt::format("tensor '{}' is listed twice", *twice));
  return header;
}

const char* file_name_of(DType dtype) {
  return std::ranges::find_if(file_types, [&](const FileType& type) { return is_stored_as(type.type, dtype); })->name;
}

}  // namespace

/// The mapped file and its parsed header; unmapped with the last reader.
struct SafetensorsFile::Mapping {
  std::string path;
  MappedFile file;
  Metadata metadata;
  std::vector<Stored> stored;
  std::vector<Entry> entries;
  std::vector<std::string> skipped;
  std::unordered_map<std::string, size_t> index;

  explicit Mapping(const std::string& from) : path(from), file(from) { parse(); }

 private:
  void parse() {
    const auto bytes = static_cast<int64_t>(file.bytes().size());
    if (const std::string other = looks_like_one(path) ? "" : other_format(path); !other.empty()) {
      throw Error(fmt::format("{}: is not a file of weights but {}", path, other));
    }
    if (bytes <= length_bytes) not_safetensors(path, fmt::format("{} bytes are too few for a header", bytes));
    const std::byte* data = file.bytes().data();
    uint64_t length = 0;
    std::memcpy(&length, data, sizeof(length));
    if (length > largest_header || static_cast<int64_t>(length) > bytes - length_bytes) {
      not_safetensors(path, fmt::format("its header should have {} bytes, but the file has {}", length, bytes));
    }
    const int64_t data_begin = length_bytes + static_cast<int64_t>(length);
    const char* text = reinterpret_cast<const char*>(data) + length_bytes;
    const Json header = parse_header(path, text, text + length);
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") {
        read_metadata(value);
      } else {
        stored.push_back(parse_entry(path, name, value, data_begin, bytes));
      }
    }
    std::ranges::sort(
        stored, [](const Stored& a, const Stored& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    int64_t expected = data_begin;  // the format allows neither overlaps nor gaps
    for (size_t i = 0; i < stored.size(); ++i) {
      if (stored[i].begin != expected) {
        not_safetensors(path, fmt::format("tensor '{}' begins at byte {} of the data, expected {}", stored[i].name,
                                          stored[i].begin - data_begin, expected - data_begin));
      }
      expected = stored[i].end;
      if (!stored[i].entry) {
        skipped.push_back(fmt::format("{} <{}>", stored[i].name, stored[i].reason));
        continue;
      }
      entries.push_back(*stored[i].entry);
      index[stored[i].name] = i;
    }
    if (expected != bytes) {
      not_safetensors(path, fmt::format("its tensors end at byte {} of the data, which has {} bytes",
                                        expected - data_begin, bytes - data_begin));
    }
  }

  void read_metadata(const Json& value) {
    if (value.is_null()) return;
    if (!value.is_object()) not_safetensors(path, "__metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) not_safetensors(path, fmt::format("__metadata__ '{}' is not a string", key));
      metadata[key] = text.get<std::string>();
    }
  }
};

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  SafetensorsFile file;
  file.mapping_ = std::make_shared<const Mapping>(path);
  return file;
}

bool SafetensorsFile::looks_like_one(const std::string& path) {
  const MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  uint64_t length = 0;
  if (bytes.size() <= sizeof length) return false;
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto first = static_cast<char>(bytes[sizeof length]);
  return length <= largest_header && length <= bytes.size() - sizeof length && (first == '{' || first == ' ');
}

const std::string& SafetensorsFile::path() const { return mapping_->path; }
const Metadata& SafetensorsFile::metadata() const { return mapping_->metadata; }
const std::vector<SafetensorsFile::Entry>& SafetensorsFile::entries() const { return mapping_->entries; }
const std::vector<std::string>& SafetensorsFile::skipped() const { return mapping_->skipped; }
bool SafetensorsFile::contains(const std::string& name) const { return mapping_->index.contains(name); }

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = mapping_->index.find(name);
  if (found == mapping_->index.end()) throw Error(fmt::format("{}: holds no tensor '{}'", path(), name));
  return *mapping_->stored[found->second].entry;
}

Tensor SafetensorsFile::read(const std::string& name, DType dtype, Device device) const {
  const Shape shape = entry(name).shape;
  const Stored& stored = mapping_->stored[mapping_->index.at(name)];
  const auto bytes =
      mapping_->file.bytes().subspan(static_cast<size_t>(stored.begin), static_cast<size_t>(stored.end - stored.begin));
  const std::shared_ptr<const Backing> backing(mapping_, &mapping_->file);
  try {
    return read_elements({stored.entry->type, bytes, 0, shape, contiguous_strides(shape)}, dtype, device, backing);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: tensor '{}' {}", path(), name, error.what()));
  }
}

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors, const Metadata& metadata) {
  // Ordered: the header lists tensors in file order.
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const auto& [name, tensor, trainable] : tensors) {
    if (header.contains(name)) throw Error(fmt::format("{}: two tensors are named '{}'", path, name));
    const auto extents = tensor.shape().extents();
    header[name] = {{"dtype", file_name_of(tensor.dtype())},
                    {"shape", std::vector<int64_t>(extents.begin(), extents.end())},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  // Invalid UTF-8 (text from an old pickle) is replaced.
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');  // aligns the tensors for readers that map the file
  const uint64_t length = text.size();

  DurableFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const auto& [name, tensor, trainable] : tensors) {
    const auto count = static_cast<size_t>(tensor.bytes());
    if (is_host_memory(tensor.device())) {
      file.write({static_cast<const std::byte*>(tensor.data()), count});
      continue;
    }
    std::vector<std::byte> bytes(count);
    memory_of(tensor.device()).copy_to_host(bytes.data(), tensor.data(), tensor.bytes());
    file.write(bytes);
  }
  file.commit();
}

}  // namespace astroclip::io
