#include "explore/embeddings.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/error.h"
#include "io/hdf5/hdf5.h"

namespace astroclip::explore {

namespace {

constexpr std::string_view column_ending = "_embeddings";
constexpr int64_t sampled_rows = 4096;

std::vector<int64_t> all_rows(int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

}  // namespace

Embeddings::Embeddings(const std::string& path) : path_(path) {
  const io::Hdf5File file = io::Hdf5File::open(path);
  std::vector<std::string> groups;  // as prefixes of names
  for (const char* group : {"", "train/", "test/"}) {
    if (file.contains(group + std::string("object_id"))) groups.emplace_back(group);
  }
  if (groups.empty()) {
    throw Error(fmt::format(
        "{}: has no dataset 'object_id'; expected embeddings as `astroclip embed` or a run writes them", path));
  }
  for (const std::string& group : groups) {
    const std::string name = group + "object_id";
    const ObjectIds more = file.read_ids(name, all_rows(file.shape(name)[0]));
    ids_.kind = more.kind;
    ids_.keys.insert(ids_.keys.end(), more.keys.begin(), more.keys.end());
    ids_.texts.insert(ids_.texts.end(), more.texts.begin(), more.texts.end());
    for (const std::string& dataset : file.datasets(group.substr(0, group.find('/')))) {
      if (!dataset.ends_with(column_ending)) continue;
      add_vectors(file, group + dataset, dataset.substr(0, dataset.size() - column_ending.size()),
                  std::ssize(more.keys));
    }
  }
  for (auto& [encoder, column] : columns_) {
    if (column.values.empty()) column.values = column.held;
    if (std::ssize(column.values) == rows() * column.width) continue;
    throw Error(fmt::format("{}: has embeddings of '{}' for some of its groups only", path, encoder));
  }
  if (columns_.empty() || rows() == 0) {
    throw Error(fmt::format(
        "{}: has no embeddings; expected datasets such as 'image_embeddings' with a row for each object", path));
  }
  for (const char* name : {"model", "model_hash", "embedding", "precision"}) attributes_[name] = file.attribute(name);
  fingerprint_ = find_fingerprint();
}

void Embeddings::add_vectors(const io::Hdf5File& file, const std::string& name, const std::string& encoder,
                             int64_t rows) {
  const Shape shape = file.shape(name);
  VectorColumn& column = columns_[encoder];
  if (shape.rank() != 2 || shape[0] != rows || shape[1] == 0 || (column.width > 0 && shape[1] != column.width)) {
    throw Error(fmt::format("{}: dataset '{}' has the shape {}, expected [{}, {}]", path_, name, shape.str(), rows,
                            column.width > 0 ? std::to_string(column.width) : "width"));
  }
  column.width = shape[1];
  const io::Hdf5Layout layout = file.layout(name);
  const bool is_whole = name.find('/') == std::string::npos;
  if (is_whole && layout.kind == io::Hdf5Layout::Kind::contiguous && layout.dtype == DType::f32 &&
      layout.offset % static_cast<int64_t>(alignof(float)) == 0) {
    if (!mapping_) mapping_ = std::make_unique<io::MappedFile>(path_);
    const auto* first = reinterpret_cast<const float*>(mapping_->bytes().data() + layout.offset);
    column.values = {first, static_cast<size_t>(shape.numel())};
    return;
  }
  const size_t before = column.held.size();
  column.held.resize(before + static_cast<size_t>(shape.numel()));
  file.read_rows(name, all_rows(rows), DType::f32, column.held.data() + before);
}

std::vector<std::string> Embeddings::encoders() const {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : columns_) names.push_back(name);
  return names;
}

const Embeddings::VectorColumn& Embeddings::column(const std::string& encoder) const {
  const auto found = columns_.find(encoder);
  if (found == columns_.end()) throw Error(fmt::format("{}: has no embeddings of '{}'", path_, encoder));
  return found->second;
}

std::span<const float> Embeddings::vectors(const std::string& encoder) const { return column(encoder).values; }

std::span<const float> Embeddings::vector(const std::string& encoder, int64_t row) const {
  const VectorColumn& own = column(encoder);
  return own.values.subspan(static_cast<size_t>(row * own.width), static_cast<size_t>(own.width));
}

std::string Embeddings::id(int64_t row) const {
  const auto at = static_cast<size_t>(row);
  if (ids_.kind == IdKind::text) return ids_.texts[at];
  if (ids_.kind == IdKind::uint64) return std::to_string(static_cast<uint64_t>(ids_.keys[at]));
  return std::to_string(ids_.keys[at]);
}

io::ColumnValues Embeddings::id_values(std::span<const int64_t> rows) const {
  const auto of_rows = [&]<class T>(std::vector<T> values, const auto& all) {
    for (const int64_t row : rows) values.push_back(static_cast<T>(all[static_cast<size_t>(row)]));
    return values;
  };
  if (ids_.kind == IdKind::text) return of_rows(std::vector<std::string>(), ids_.texts);
  if (ids_.kind == IdKind::uint64) return of_rows(std::vector<uint64_t>(), ids_.keys);
  return of_rows(std::vector<int64_t>(), ids_.keys);
}

std::optional<int64_t> Embeddings::row_of(const std::string& id) const {
  int64_t key = 0;
  if (ids_.kind == IdKind::text) {
    key = id_key(id);
  } else {
    uint64_t unsigned_key = 0;
    const char *begin = id.data(), *end = id.data() + id.size();
    const auto result =
        ids_.kind == IdKind::uint64 ? std::from_chars(begin, end, unsigned_key) : std::from_chars(begin, end, key);
    if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
    if (ids_.kind == IdKind::uint64) key = static_cast<int64_t>(unsigned_key);
  }
  const auto found = std::ranges::find(ids_.keys, key);
  if (found == ids_.keys.end()) return std::nullopt;
  return found - ids_.keys.begin();
}

std::string Embeddings::attribute(const std::string& name) const {
  const auto found = attributes_.find(name);
  return found == attributes_.end() ? "" : found->second;
}

std::string Embeddings::find_fingerprint() const {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_64bits_reset(state.get());
  const auto add = [&](const void* bytes, size_t count) { XXH3_64bits_update(state.get(), bytes, count); };
  const std::string hash = attribute("model_hash");
  add(hash.data(), hash.size());
  add(ids_.keys.data(), ids_.keys.size() * sizeof(int64_t));
  for (const auto& [name, own] : columns_) {
    add(name.data(), name.size());
    add(&own.width, sizeof own.width);
    const int64_t count = std::min(rows(), sampled_rows);
    for (int64_t i = 0; i < count; ++i) {
      const std::span<const float> values = vector(name, i * rows() / count);
      add(values.data(), values.size_bytes());
    }
  }
  return fmt::format("{:016x}", XXH3_64bits_digest(state.get()));
}

}  // namespace astroclip::explore
