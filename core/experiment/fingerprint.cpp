#include "experiment/fingerprint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/rng.h"
#include "data/dataset_adapter.h"
#include "data/fields.h"
#include "data/labels.h"
#include "io/mapped_file.h"

namespace astroclip {

namespace {

constexpr int64_t ids_at_once = 1 << 20;
constexpr int64_t sampled_labels = 1 << 16;
constexpr int64_t sampled_objects = 32, sampled_bytes = int64_t{32} << 20;  // of a split, the larger of the two

std::string hash_of(std::string_view text) { return fmt::format("{:016x}", stable_hash(text)); }

std::string hash_of(std::span<const std::byte> bytes) {
  return fmt::format("{:016x}", XXH3_64bits(bytes.data(), bytes.size()));
}

/// Of a file's size and of evenly spaced blocks of its bytes.
std::string hash_of_sampled_bytes(const std::string& path) {
  constexpr size_t block = 1 << 14, most_blocks = 64;
  const io::MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  const size_t blocks = std::min(most_blocks, (bytes.size() + block - 1) / block);
  std::string hashes = fmt::format("{}", bytes.size());
  for (size_t i = 0; i < blocks; ++i) {
    const size_t last = bytes.size() - std::min(block, bytes.size());
    const size_t begin = blocks == 1 ? 0 : last * i / (blocks - 1);
    hashes += hash_of(bytes.subspan(begin, std::min(block, bytes.size() - begin)));
  }
  return hash_of(hashes).substr(0, digits_of_a_file);
}

std::string hash_of_ids(const Dataset& dataset) {
  std::string hashes;
  for (const Split split : {Split::train, Split::test}) {
    for (int64_t begin = 0; begin < dataset.size(split); begin += ids_at_once) {
      std::vector<int64_t> rows(static_cast<size_t>(std::min(ids_at_once, dataset.size(split) - begin)));
      std::iota(rows.begin(), rows.end(), begin);
      const std::vector<int64_t> ids = data::read_ids(dataset, split, rows);
      hashes += hash_of(std::as_bytes(std::span(ids)));
    }
  }
  return hash_of(hashes);
}

/// The named fields of rows. Of `labels` those that cannot be read are added to `unreadable` instead: whoever uses one
/// is told why.
HostBatch read_readable(const Dataset& dataset, Split split, std::span<const int64_t> rows,
                        const std::vector<std::string>& names, const std::set<std::string>& labels,
                        std::set<std::string>& unreadable) {
  try {
    return data::read_fields(dataset, split, rows, names);
  } catch (const Error&) {
    HostBatch batch;
    for (const std::string& name : names) {
      try {
        batch.merge(data::read_fields(dataset, split, rows, {name}));
      } catch (const Error&) {
        if (!labels.contains(name)) throw;
        unreadable.insert(name);
      }
    }
    return batch;
  }
}

/// Of the named fields of up to `most` evenly spaced rows of each split.
std::string hash_of_sample(const Dataset& dataset, const std::vector<std::string>& names, int64_t most,
                           const std::set<std::string>& labels, std::set<std::string>& unreadable) {
  std::string hashes;
  for (const Split split : {Split::train, Split::test}) {
    const int64_t size = dataset.size(split), count = std::min(most, size);
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < count; ++i) rows.push_back(i * size / count);
    if (rows.empty()) continue;
    for (const auto& [name, column] : read_readable(dataset, split, rows, names, labels, unreadable)) {
      hashes += name + hash_of(column.bytes);
    }
  }
  return hash_of(hashes);
}

}  // namespace

config::Table fingerprint(const Dataset& dataset) {
  std::vector<std::string> described, labels, all;
  std::set<std::string> may_be_unreadable, unreadable;
  int64_t object_bytes = 1;
  for (const Field& field : dataset.fields()) {
    described.push_back(fmt::format("{} {} {} {}", field.name, name_of(field.dtype), field.shape.str(), field.unit));
    if (field.shape.rank() == 0) labels.push_back(field.name);
    if (field.shape.rank() == 0 && field.name != "object_id") may_be_unreadable.insert(field.name);
    all.push_back(field.name);
    object_bytes += field.shape.numel() * static_cast<int64_t>(size_of(field.dtype));
  }
  config::Table facts;
  const auto set = [&](const char* name, config::Value::Data value) { facts.set(name, {std::move(value), {}}); };
  set("training objects", dataset.size(Split::train));
  set("test objects", dataset.size(Split::test));
  set("fields", hash_of(fmt::format("{}", fmt::join(described, "\n"))));
  std::string contents;
  for (const std::string& file : dataset.files()) contents += hash_of_sampled_bytes(file);
  if (!contents.empty()) set(file_contents, std::move(contents));
  if (std::ranges::find(labels, "object_id") != labels.end()) set("object ids", hash_of_ids(dataset));
  const auto sample = [&](const std::vector<std::string>& names, int64_t most) {
    return hash_of_sample(dataset, names, most, may_be_unreadable, unreadable);
  };
  set("labels", sample(labels, sampled_labels));
  set("values", sample(all, std::max(sampled_objects, sampled_bytes / object_bytes)));
  if (!unreadable.empty()) set(unreadable_labels, fmt::format("{}", fmt::join(unreadable, ", ")));
  const auto* layer = dynamic_cast<const data::DatasetAdapter*>(&dataset);
  for (; layer != nullptr; layer = dynamic_cast<const data::DatasetAdapter*>(&layer->objects())) {
    const auto* joined = dynamic_cast<const data::LabelledDataset*>(layer);
    if (joined == nullptr) continue;
    for (const std::string& file : joined->tables()) facts.set("table " + file, {file_hash(file), {}});
    if (!joined->where().empty()) set("where", joined->where());
  }
  return facts;
}

std::string file_hash(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::string> known;
  const std::scoped_lock lock(mutex);
  auto found = known.find(path);
  if (found == known.end()) found = known.emplace(path, hash_of(io::MappedFile(path).bytes())).first;
  return found->second;
}

}  // namespace astroclip
