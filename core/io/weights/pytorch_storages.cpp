// The layout follows torch/serialization.py.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/printable.h"
#include "io/weights/pytorch_storages_internal.h"
#include "io/weights/zip_archive.h"

namespace astroclip::io {

namespace {

using pickle::Document;
using pickle::Value;
using Kind = Value::Kind;

// torch.serialization.MAGIC_NUMBER, as a pickled long: opcode, length, ten bytes, end.
constexpr unsigned char legacy_magic[] = {0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, '.'};
constexpr int64_t legacy_protocol = 1001;

struct StorageClass {
  std::string_view name;
  ElementType type;
};
/// Classes whose elements cannot be read, and the size of an element.
struct OpaqueClass {
  std::string_view name;
  int64_t bytes;
};
constexpr OpaqueClass opaque_classes[] = {
    {"torch.ComplexFloatStorage", 8},    {"torch.ComplexDoubleStorage", 16}, {"torch.QInt8Storage", 1},
    {"torch.QUInt8Storage", 1},          {"torch.QInt32Storage", 4},         {"torch.UntypedStorage", 1},
    {"torch.storage.UntypedStorage", 1},
};
constexpr StorageClass storage_classes[] = {
    {"torch.DoubleStorage", ElementType::f64}, {"torch.FloatStorage", ElementType::f32},
    {"torch.HalfStorage", ElementType::f16},   {"torch.BFloat16Storage", ElementType::bf16},
    {"torch.LongStorage", ElementType::i64},   {"torch.IntStorage", ElementType::i32},
    {"torch.ShortStorage", ElementType::i16},  {"torch.CharStorage", ElementType::i8},
    {"torch.ByteStorage", ElementType::u8},    {"torch.BoolStorage", ElementType::boolean},
};

[[noreturn]] void not_pytorch(const std::string& path, const std::string& reason) {
  throw Error(fmt::format("{}: not a valid PyTorch file: {}", path, printable(reason)));
}

/// Offset after the first pickle of the legacy format, the magic number in protocol 2 to 5; 0 for other files.
size_t legacy_start(std::span<const std::byte> bytes) {
  constexpr size_t protocol_bytes = 2, frame_bytes = 9;
  const auto at = [&](size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  const auto ends_in_magic = [&](size_t begin) {
    return bytes.size() >= begin + sizeof(legacy_magic) &&
           std::memcmp(bytes.data() + begin, legacy_magic, sizeof(legacy_magic)) == 0;
  };
  if (bytes.size() < protocol_bytes || at(0) != 0x80 || at(1) < 2 || at(1) > 5) return 0;
  for (const size_t begin : {protocol_bytes, protocol_bytes + frame_bytes}) {
    if (begin > protocol_bytes && (bytes.size() < begin || at(protocol_bytes) != 0x95)) continue;
    if (ends_in_magic(begin)) return begin + sizeof(legacy_magic);
  }
  return 0;
}

PytorchArchive read_zip(std::span<const std::byte> bytes, const std::string& path) {
  const ZipArchive zip(bytes, path);
  const std::string object_name = "/data.pkl";
  std::string folder;
  const auto holds = [&](const char* ending) {
    return std::ranges::any_of(zip.entries(), [&](const auto& entry) { return entry.first.ends_with(ending); });
  };
  if (holds("/constants.pkl") && holds(".py")) {
    throw Error(
        fmt::format("{}: is a TorchScript archive, a program with its weights; save the module's state_dict(): "
                    "torch.save(torch.jit.load('{}').state_dict(), 'weights.pt')",
                    path, std::filesystem::path(path).filename().string()));
  }
  if (holds(".npy")) {
    throw Error(fmt::format("{}: is a NumPy archive (.npz); save its arrays with safetensors.numpy.save_file", path));
  }
  for (const auto& [name, entry] : zip.entries()) {
    if (!name.ends_with(object_name)) continue;
    if (!folder.empty()) not_pytorch(path, fmt::format("it holds both {}/data.pkl and {}", folder, name));
    folder = name.substr(0, name.size() - object_name.size());
  }
  if (folder.empty()) not_pytorch(path, fmt::format("the archive holds no data.pkl; it holds {}", zip.some_names()));
  const auto order = zip.entries().find(folder + "/byteorder");
  if (order != zip.entries().end()) {
    const auto text = zip.bytes_of(order->first);
    if (std::string_view(reinterpret_cast<const char*>(text.data()), text.size()) != "little") {
      not_pytorch(path, "its numbers are not little-endian");
    }
  }
  PytorchArchive archive;
  archive.format = "zip";
  zip.verify(folder + object_name);
  archive.document =
      Document::parse(zip.bytes_of(folder + object_name), path, zip.entries().at(folder + object_name).offset);
  const std::string data = folder + "/data/";
  for (auto at = zip.entries().lower_bound(data); at != zip.entries().end() && at->first.starts_with(data); ++at) {
    archive.storages[at->first.substr(data.size())] = zip.bytes_of(at->first);
  }
  return archive;
}

/// Finds the first tensor that uses a storage: `name` becomes that under which the value holds it. `visits` and
/// `levels` bound the walk, as values may share parts and contain themselves.
bool find_user(const Value& value, const std::string& storage, std::string& name, int& visits, int levels = 50) {
  if (--visits < 0 || levels == 0) return false;
  if (value.is(Kind::persistent)) {
    const auto& parts = value.arguments->items;
    return parts.size() > 2 && parts[2]->is(Kind::text) && parts[2]->text == storage;
  }
  for (const auto& [key, part] : value.entries) {
    std::string below;
    if (!find_user(*part, storage, below, visits, levels - 1)) continue;
    name = key->is(Kind::text) ? key->text + (below.empty() ? "" : "." + below) : below;
    return true;
  }
  const auto has_user = [&](const Value* part) { return find_user(*part, storage, name, visits, levels - 1); };
  return std::ranges::any_of(value.items, has_user) || (value.is(Kind::object) && has_user(value.arguments));
}

/// "storage '3' of tensor 'head.weight'"
std::string described(const Value& root, const std::string& storage) {
  std::string name;
  int visits = 1'000'000;
  const bool is_found = find_user(root, storage, name, visits) && !name.empty();
  return fmt::format("storage '{}'{}", storage, is_found ? fmt::format(" of tensor '{}'", name) : "");
}

/// Reads the pickles and storages of the legacy format one after the other.
class LegacyReader {
 public:
  LegacyReader(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  PytorchArchive read() {
    at_ = legacy_start(bytes_);
    const Document protocol = next();
    if (!protocol.root().is(Kind::integer) || protocol.root().integer != legacy_protocol) {
      not_pytorch(path_, fmt::format("the legacy format has a version other than {}", legacy_protocol));
    }
    const Document system = next();
    const Value* little = system.root().find("little_endian");
    if (little == nullptr || !little->is(Kind::boolean)) not_pytorch(path_, "it does not state its byte order");
    if (little->integer == 0) not_pytorch(path_, "its numbers are not little-endian");
    PytorchArchive archive;
    archive.format = "legacy";
    archive.document = next();
    const Document keys = next();
    read_storages(keys.root(), archive);
    return archive;
  }

 private:
  Document next() {
    Document document = Document::parse(bytes_.subspan(at_), path_, static_cast<int64_t>(at_));
    at_ += static_cast<size_t>(document.size());
    return document;
  }

  /// Bytes of an element, by the key of the storage.
  std::map<std::string, int64_t> sizes_of(const Document& document) const {
    std::map<std::string, int64_t> sizes;
    for (const Value& value : document.values()) {
      if (!value.is(Kind::persistent)) continue;
      try {
        const auto storage = storage_reference(value);
        if (!storage) continue;
        if (!storage->element_bytes)
          throw Error(fmt::format("{} is a {}, whose size is not known", described(document.root(), storage->key),
                                  storage->type_name));
        sizes.emplace(storage->key, *storage->element_bytes);
      } catch (const Error& error) {
        not_pytorch(path_, error.what());
      }
    }
    return sizes;
  }

  void read_storages(const Value& keys, PytorchArchive& archive) {
    if (!keys.is(Kind::list)) not_pytorch(path_, "its list of storages is missing");
    const auto sizes = sizes_of(archive.document);
    for (const Value* key : keys.items) {
      const auto found = sizes.find(key->text);
      if (!key->is(Kind::text) || found == sizes.end()) not_pytorch(path_, "it lists a storage that no tensor uses");
      int64_t elements = 0;
      const uint64_t left = bytes_.size() - at_;
      if (left < sizeof(elements))
        not_pytorch(path_, fmt::format("{} is cut off at byte {}", described(archive.document.root(), key->text), at_));
      std::memcpy(&elements, bytes_.data() + at_, sizeof(elements));
      at_ += sizeof(elements);
      const int64_t room = static_cast<int64_t>(bytes_.size() - at_) / found->second;
      if (elements < 0 || elements > room) {
        not_pytorch(
            path_,
            fmt::format("{} at byte {} claims {} elements, but the file has room for {} (is the file truncated?)",
                        described(archive.document.root(), key->text), at_, elements, room));
      }
      const auto size = static_cast<size_t>(elements * found->second);
      archive.storages[key->text] = bytes_.subspan(at_, size);
      at_ += size;
    }
  }

  std::span<const std::byte> bytes_;
  const std::string& path_;
  size_t at_ = 0;
};

}  // namespace

PytorchArchive read_pytorch_archive(std::span<const std::byte> bytes, const std::string& path) {
  if (ZipArchive::looks_like_one(bytes)) return read_zip(bytes, path);
  if (legacy_start(bytes) > 0) return LegacyReader(bytes, path).read();
  not_pytorch(path, "it is neither a zip archive nor in the legacy format");
}

bool looks_like_pytorch(std::span<const std::byte> bytes) {
  return ZipArchive::looks_like_one(bytes) || legacy_start(bytes) > 0;
}

std::optional<StorageReference> storage_reference(const Value& persistent) {
  if (!persistent.is(Kind::persistent) || !persistent.arguments->is(Kind::tuple)) return std::nullopt;
  const auto& parts = persistent.arguments->items;
  if (parts.empty() || !parts[0]->is(Kind::text) || parts[0]->text != "storage") return std::nullopt;
  if (parts.size() < 5 || !parts[1]->is(Kind::global) || !parts[2]->is(Kind::text) || !parts[4]->is(Kind::integer)) {
    throw Error("the description of a storage is not in the form that PyTorch writes");
  }
  if (parts.size() > 5 && !parts[5]->is(Kind::none)) {
    throw Error(fmt::format("storage '{}' is a view of another, which only PyTorch before 0.4 wrote", parts[2]->text));
  }
  if (parts[4]->integer < 0) throw Error(fmt::format("storage '{}' has a negative size", parts[2]->text));
  StorageReference reference{parts[1]->text, std::nullopt, std::nullopt, parts[2]->text, parts[4]->integer};
  for (const StorageClass& one : storage_classes) {
    if (one.name != reference.type_name) continue;
    reference.type = one.type;
    reference.element_bytes = size_of(one.type);
  }
  for (const OpaqueClass& one : opaque_classes) {
    if (one.name == reference.type_name) reference.element_bytes = one.bytes;
  }
  return reference;
}

}  // namespace astroclip::io
