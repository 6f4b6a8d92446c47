#include "io/weights/weights_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/printable.h"
#include "base/text.h"
#include "io/mapped_file.h"
#include "io/weights/pytorch_file.h"

namespace astroclip::io {

namespace {

std::string hash_of(const void* bytes, size_t count) {
  const XXH128_hash_t hash = XXH3_128bits(bytes, count);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash_of(const Tensor& tensor) {
  const auto count = static_cast<size_t>(tensor.bytes());
  if (is_host_memory(tensor.device())) {
    const std::string hash = hash_of(tensor.data(), count);
    tensor.storage()->set_aside();  // so that a large file is never completely in memory
    return hash;
  }
  std::string bytes(count, '\0');
  memory_of(tensor.device()).copy_to_host(bytes.data(), tensor.data(), tensor.bytes());
  return hash_of(bytes.data(), count);
}

/// Whether a file is an index of shards, as Hugging Face's libraries write it: JSON with "weight_map".
bool is_index(const std::string& path) {
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  constexpr size_t first = 8;  // of a safetensors file: the length of its header, whose upper bytes are 0
  if (text.size() < first || text.substr(0, first).find('\0') != text.npos) return false;
  return trimmed(text).starts_with('{') && text.find("\"weight_map\"") != text.npos;
}

/// The files that the index names, which lie beside it. Throws Error if one is not there.
std::vector<std::string> shards_of(const std::string& path) {
  const MappedFile file(path);
  const auto* begin = reinterpret_cast<const char*>(file.bytes().data());
  const auto index = nlohmann::json::parse(begin, begin + file.bytes().size(), nullptr, false);
  const bool is_map = index.is_object() && index.contains("weight_map") && index["weight_map"].is_object();
  std::set<std::string> names;
  if (is_map) {
    for (const auto& [tensor, shard] : index["weight_map"].items()) {
      names.insert(shard.is_string() ? shard.template get<std::string>() : "");
    }
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::vector<std::string> shards;
  for (const std::string& name : names) {
    if (name.empty() || std::filesystem::path(name).filename() != name) {
      throw Error(fmt::format("{}: is an index of shards, but '{}' is no file name", path, printable(name)));
    }
    if (!std::filesystem::exists(folder / name)) {
      throw Error(fmt::format("{}: is an index of {} shards, and the shard '{}' is not beside it", path, names.size(),
                              printable(name)));
    }
    shards.push_back((folder / name).string());
  }
  if (shards.empty()) throw Error(fmt::format("{}: looks like an index of shards, but lists none", path));
  return shards;
}

/// Calls take(file, format, section) with the reader of a file.
template <class Take>
void with_reader(const std::string& path, const Take& take) {
  if (PytorchFile::looks_like_one(path)) {
    const auto file = PytorchFile::open(path);
    const std::string section(file.section());
    take(file, "PyTorch, " + std::string(file.format()), section.empty() ? "" : section + ".");
  } else {
    take(SafetensorsFile::open(path), "safetensors", "");
  }
}

/// The same for each shard of an index, or for the file that is none.
template <class Take>
void for_each_file(const std::string& path, const Take& take) {
  if (!is_index(path)) return with_reader(path, take);
  const std::vector<std::string> shards = shards_of(path);
  for (const std::string& shard : shards) {
    with_reader(shard, [&](const auto& file, const std::string& format, const std::string& section) {
      take(file, fmt::format("{} in {} shards", format, shards.size()), section);
    });
  }
}

/// What reading and listing have in common.
template <class Result, class File>
void describe(Result& result, const File& file, const std::string& format, const std::string& section) {
  result.format = format;
  result.section = section;
  result.metadata.insert(file.metadata().begin(), file.metadata().end());
  result.skipped.insert(result.skipped.end(), file.skipped().begin(), file.skipped().end());
}

}  // namespace

std::vector<NamedTensor> WeightsFile::state_dict() const {
  std::vector<NamedTensor> own;
  for (const NamedTensor& entry : tensors) {
    if (entry.name.starts_with(section)) own.push_back({entry.name.substr(section.size()), entry.tensor});
  }
  return own;
}

bool looks_like_weights(const std::string& path) {
  return PytorchFile::looks_like_one(path) || SafetensorsFile::looks_like_one(path) || is_index(path);
}

WeightsFile read_weights(const std::string& path, Device device) {
  WeightsFile weights;
  for_each_file(path, [&](const auto& file, const std::string& format, const std::string& section) {
    describe(weights, file, format, section);
    for (const auto& entry : file.entries()) {
      weights.tensors.push_back({entry.name, file.read(entry.name, dtype_of_elements(entry.type), device)});
    }
  });
  return weights;
}

WeightsListing list_weights(const std::string& path) {
  WeightsListing listing;
  for_each_file(path, [&](const auto& file, const std::string& format, const std::string& section) {
    describe(listing, file, format, section);
    for (const auto& entry : file.entries()) {
      listing.entries.push_back({entry.name, std::string(name_of(entry.type)), entry.shape});
    }
  });
  return listing;
}

std::string model_hash(std::span<const NamedTensor> tensors) {
  std::string summary;
  for (const auto& [name, tensor, trainable] : tensors) {
    summary += fmt::format("{}|{}|{}|{}\n", name, name_of(tensor.dtype()), tensor.shape().str(), hash_of(tensor));
  }
  return hash_of(summary.data(), summary.size());
}

}  // namespace astroclip::io
