#include "io/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "io/durable_file.h"
#include "io/elements.h"

namespace astroclip::io {

namespace {

using Json = nlohmann::json;

constexpr int64_t length_bytes = 8;
constexpr int64_t largest_header = 100'000'000;  // the format's own limit

/// An element type as the file names it.
struct FileType {
  const char* name;
  int64_t bytes;
  DType dtype;
};
constexpr FileType file_types[] = {
    {"F32", 4, DType::f32}, {"F64", 8, DType::f64}, {"BF16", 2, DType::bf16}, {"F16", 2, DType::f32},
    {"I64", 8, DType::i64}, {"I32", 4, DType::i32}, {"U8", 1, DType::u8},     {"BOOL", 1, DType::u8},
};

const FileType* find_type(const std::string& name) {
  const auto* found = std::ranges::find_if(file_types, [&](const FileType& type) { return name == type.name; });
  return found == std::end(file_types) ? nullptr : found;
}

struct Stored {
  SafetensorsFile::Entry entry;
  const FileType* type;
  int64_t begin;  // from the start of the file
  int64_t end;
};

std::optional<int64_t> as_count(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) return std::nullopt;
  const auto number = value.get<int64_t>();
  if (number < 0) return std::nullopt;
  return number;
}

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw Error(fmt::format("{}: not a valid safetensors file: {}", path, reason));
}

Stored parse_entry(const std::string& path, const std::string& name, const Json& value, int64_t data_begin,
                   int64_t file_bytes) {
  const auto bad = [&](const std::string& reason) { refuse(path, fmt::format("tensor '{}' {}", name, reason)); };
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets")) {
    bad("lacks dtype, shape or data_offsets");
  }
  const FileType* type = value["dtype"].is_string() ? find_type(value["dtype"].get<std::string>()) : nullptr;
  if (type == nullptr) bad(fmt::format("has the unknown dtype {}", value["dtype"].dump()));
  if (!value["shape"].is_array() || value["shape"].size() > Shape::max_rank) {
    bad(fmt::format("needs a shape of at most {} axes", Shape::max_rank));
  }
  std::vector<int64_t> extents;
  int64_t bytes = type->bytes;
  for (const Json& extent : value["shape"]) {
    const auto count = as_count(extent);
    if (!count || __builtin_mul_overflow(bytes, *count, &bytes)) bad("has an impossible shape");
    extents.push_back(*count);
  }
  const Json& offsets = value["data_offsets"];
  const auto begin = offsets.is_array() && offsets.size() == 2 ? as_count(offsets[0]) : std::nullopt;
  const auto end = begin ? as_count(offsets[1]) : std::nullopt;
  if (!begin || !end || *end < *begin) bad("has impossible data_offsets");
  if (*end > file_bytes - data_begin) {
    bad(fmt::format("ends at byte {} of the data, which has {} (is the file truncated?)", *end,
                    file_bytes - data_begin));
  }
  if (*end - *begin != bytes) {
    bad(fmt::format("has {} bytes, but its shape and dtype need {}", *end - *begin, bytes));
  }
  return {{name, type->dtype, Shape(extents)}, type, data_begin + *begin, data_begin + *end};
}

/// Parses the header; a repeated name is an error rather than the last one winning.
Json parse_header(const std::string& path, const char* begin, const char* end) {
  std::vector<std::string> names;
  const auto collect = [&](int depth, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1) names.push_back(parsed.get<std::string>());
    return true;
  };
  Json header = Json::parse(begin, end, collect, false);
  if (header.is_discarded() || !header.is_object()) refuse(path, "its header is not a JSON object");
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) refuse(path, fmt::format("tensor '{}' is listed twice", *twice));
  return header;
}

template <class To>
void convert(const Stored& stored, const std::byte* bytes, std::vector<To>& values) {
  const auto fill = [&]<class From>(const From*) {
    for (size_t i = 0; i < values.size(); ++i) {
      From value;
      std::memcpy(&value, bytes + i * sizeof(From), sizeof(From));
      if constexpr (std::is_same_v<From, BFloat16>) {
        values[i] = static_cast<To>(static_cast<float>(value));
      } else {
        values[i] = static_cast<To>(value);
      }
    }
  };
  if (stored.type->name == std::string_view("F16")) {
    for (size_t i = 0; i < values.size(); ++i) {
      uint16_t half;
      std::memcpy(&half, bytes + i * 2, 2);
      values[i] = static_cast<To>(half_to_float(half));
    }
    return;
  }
  switch (stored.type->dtype) {
    case DType::f32:
      return fill(static_cast<const float*>(nullptr));
    case DType::f64:
      return fill(static_cast<const double*>(nullptr));
    case DType::bf16:
      return fill(static_cast<const BFloat16*>(nullptr));
    case DType::i64:
      return fill(static_cast<const int64_t*>(nullptr));
    case DType::i32:
      return fill(static_cast<const int32_t*>(nullptr));
    case DType::u8:
      return fill(static_cast<const uint8_t*>(nullptr));
  }
}

const char* file_name_of(DType dtype) {
  const auto* found = std::ranges::find_if(
      file_types, [&](const FileType& type) { return type.dtype == dtype && type.name != std::string_view("F16"); });
  return found->name;
}

}  // namespace

/// The mapped file and its parsed header; unmapped when the last reader goes.
struct SafetensorsFile::Mapping {
  std::string path;
  const std::byte* data = nullptr;
  int64_t bytes = 0;
  Metadata metadata;
  std::vector<Stored> stored;
  std::vector<Entry> entries;
  std::unordered_map<std::string, size_t> index;

  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data != nullptr) munmap(const_cast<std::byte*>(data), static_cast<size_t>(bytes));
  }

  void map() {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
      const int reason = errno;
      if (descriptor >= 0) close(descriptor);
      throw Error(fmt::format("{}: cannot read: {}", path, std::strerror(reason)));
    }
    bytes = status.st_size;
    void* mapped = S_ISREG(status.st_mode) && bytes > length_bytes
                       ? mmap(nullptr, static_cast<size_t>(bytes), PROT_READ, MAP_PRIVATE, descriptor, 0)
                       : MAP_FAILED;
    close(descriptor);
    if (mapped == MAP_FAILED) refuse(path, fmt::format("{} bytes are too few for a header", bytes));
    data = static_cast<const std::byte*>(mapped);
  }

  void parse() {
    uint64_t length = 0;
    std::memcpy(&length, data, sizeof(length));
    if (length > largest_header || static_cast<int64_t>(length) > bytes - length_bytes) {
      refuse(path, fmt::format("its header would be {} bytes long, the file has {}", length, bytes));
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
    for (size_t i = 0; i < stored.size(); ++i) {
      if (i > 0 && stored[i].begin < stored[i - 1].end) {
        refuse(path, fmt::format("tensors '{}' and '{}' overlap", stored[i - 1].entry.name, stored[i].entry.name));
      }
      entries.push_back(stored[i].entry);
      index[stored[i].entry.name] = i;
    }
  }

 private:
  void read_metadata(const Json& value) {
    if (!value.is_object()) refuse(path, "__metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) refuse(path, fmt::format("__metadata__ '{}' is not a string", key));
      metadata[key] = text.get<std::string>();
    }
  }
};

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  const auto mapping = std::make_shared<Mapping>();
  mapping->path = path;
  mapping->map();
  mapping->parse();
  SafetensorsFile file;
  file.mapping_ = mapping;
  return file;
}

const std::string& SafetensorsFile::path() const { return mapping_->path; }
const Metadata& SafetensorsFile::metadata() const { return mapping_->metadata; }
const std::vector<SafetensorsFile::Entry>& SafetensorsFile::entries() const { return mapping_->entries; }
bool SafetensorsFile::contains(const std::string& name) const { return mapping_->index.contains(name); }

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = mapping_->index.find(name);
  if (found == mapping_->index.end()) throw Error(fmt::format("{}: holds no tensor '{}'", path(), name));
  return mapping_->entries[found->second];
}

Tensor SafetensorsFile::read(const std::string& name, DType dtype, Device device) const {
  const Shape shape = entry(name).shape;
  const Stored& stored = mapping_->stored[mapping_->index.at(name)];
  const std::byte* bytes = mapping_->data + stored.begin;
  const bool integer = dtype == DType::i64;
  const bool stored_integer =
      stored.type->dtype == DType::i64 || stored.type->dtype == DType::i32 || stored.type->dtype == DType::u8;
  if (integer && !stored_integer) {
    throw Error(fmt::format("{}: tensor '{}' holds {}, integers were expected", path(), name, stored.type->name));
  }
  if (stored.type->dtype == dtype && stored.type->bytes == size_of(dtype)) {
    Tensor tensor = Tensor::empty(shape, dtype, device);
    memory_of(device).copy_from_host(tensor.mutable_data(), bytes, tensor.bytes());
    return tensor;
  }
  if (integer) {
    std::vector<int64_t> values(static_cast<size_t>(shape.numel()));
    convert(stored, bytes, values);
    return Tensor::from_host(values, shape, device);
  }
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  convert(stored, bytes, values);
  return Tensor::from_host(values, shape, dtype, device);
}

void write_safetensors(const std::string& path, std::span<const std::pair<std::string, Tensor>> tensors,
                       const Metadata& metadata) {
  // An ordered object: the header lists tensors as they lie in the file.
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (header.contains(name)) throw Error(fmt::format("{}: two tensors are named '{}'", path, name));
    const auto extents = tensor.shape().extents();
    header[name] = {{"dtype", file_name_of(tensor.dtype())},
                    {"shape", std::vector<int64_t>(extents.begin(), extents.end())},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  // What is not UTF-8 (text out of an old pickle) is replaced.
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');  // keeps the tensors aligned for readers that map the file
  const uint64_t length = text.size();

  DurableFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const auto& [name, tensor] : tensors) {
    std::vector<std::byte> bytes(static_cast<size_t>(tensor.bytes()));
    memory_of(tensor.device()).copy_to_host(bytes.data(), tensor.data(), tensor.bytes());
    file.write(bytes);
  }
  file.commit();
}

}  // namespace astroclip::io
