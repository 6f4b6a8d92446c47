#include "evaluate/token_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

#include "autograd/tape.h"
#include "backend/backend.h"
#include "backend/devices.h"
#include "backend/pinned.h"
#include "backend/readback.h"
#include "base/error.h"
#include "base/instructions.h"
#include "base/rng.h"
#include "base/threads.h"
#include "config/toml.h"
#include "io/hdf5/row_reader.h"
#include "io/output/durable_file.h"
#include "io/output/row_file.h"
#include "io/weights/weights_file.h"
#include "record/checkpoint.h"

namespace astroclip::evaluate {

namespace fs = std::filesystem;

namespace {

constexpr const char* tokens_column = "tokens";
constexpr const char* summary_column = "summary";
constexpr int64_t megabyte = 1 << 20;

Shape of_one(const Shape& batch) { return Shape(std::span(batch.begin() + 1, batch.end())); }

/// HDF5 has no bf16: two numbers take the place of one f32.
io::RowFile::Column column_of(const char* name, const Tensor& batch) {
  const Shape row = of_one(batch.shape());
  if (batch.dtype() != DType::bf16) return {name, batch.dtype(), row};
  return {name, DType::f32, row.with(-1, row[-1] / 2)};
}
/// An attribute of such a file, with this value.
constexpr const char *dtype_attribute = "dtype", *of_halves = "bf16";

int64_t row_bytes(const Encoded& encoded) {
  return encoded.tokens.bytes() / encoded.tokens.size(0) +
         (encoded.cls_token.defined() ? encoded.cls_token.bytes() / encoded.cls_token.size(0) : 0);
}

/// A column of a batch on its way to the file.
class ComingColumn {
 public:
  ComingColumn(const char* column, int64_t begin, const Tensor& values)
      : column_(column), begin_(begin), rows_(values.size(0)), dtype_(values.dtype()), numbers_({values}) {}
  void write(io::RowFile& file) const {
    const auto write = [&](const auto& numbers) { file.write(column_, begin_, rows_, numbers.data()); };
    if (dtype_ == DType::f64) return write(numbers_.doubles());
    const std::vector<float> floats = numbers_.floats();
    if (dtype_ == DType::f32) return write(floats);
    write(std::vector<BFloat16>(floats.begin(), floats.end()));
  }

 private:
  const char* column_;
  int64_t begin_, rows_;
  DType dtype_;
  Readback numbers_;
};

/// Every row that has the modality, and the first ones again, so that every batch is full.
std::vector<int64_t> rows_in_full_batches(const Dataset& dataset, const TokenRequest& request) {
  std::vector<int64_t> rows = data::rows_with(dataset, request.split, {request.view.request.modality});
  for (size_t i = 0; !rows.empty() && static_cast<int64_t>(rows.size()) % request.batch != 0; ++i) {
    rows.push_back(rows[i]);
  }
  return rows;
}

std::vector<int64_t> places_of(const std::vector<int64_t>& rows, int64_t size) {
  std::vector<int64_t> places(static_cast<size_t>(size), -1);
  for (size_t i = rows.size(); i-- > 0;) places[static_cast<size_t>(rows[i])] = static_cast<int64_t>(i);
  return places;
}

/// Files of the folder with their sizes, the least recently used first.
std::vector<std::pair<fs::path, int64_t>> files_by_use(const std::string& folder) {
  std::vector<std::pair<fs::path, int64_t>> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.emplace_back(entry.path(), static_cast<int64_t>(entry.file_size()));
  }
  std::ranges::sort(files, {}, [](const auto& file) { return fs::last_write_time(file.first); });
  return files;
}

}  // namespace

bool has_frozen_backbone(const Encoder& encoder) {
  std::vector<NamedTensor> backbone = encoder.parameters();
  std::erase_if(backbone, [](const NamedTensor& entry) { return !entry.name.starts_with("backbone."); });
  return !backbone.empty() && std::ranges::none_of(backbone, &NamedTensor::trainable);
}

struct FrozenTokens::Files {
  io::RowReader tokens;
  std::optional<io::RowReader> summary;
  bool are_halves;
};

FrozenTokens::FrozenTokens(const std::string& path, std::vector<int64_t> places, Device device)
    : places_(std::move(places)), device_(device) {
  const auto file = io::Hdf5File::open(path);
  const auto nothing_decoded = std::make_shared<io::BlockCache>(0);  // rows are contiguous
  files_ = std::make_unique<Files>(Files{io::RowReader(file, tokens_column, nothing_decoded), std::nullopt,
                                         file.attribute(dtype_attribute) == of_halves});
  if (file.contains(summary_column)) files_->summary.emplace(file, summary_column, nothing_decoded);
}

FrozenTokens::~FrozenTokens() = default;

HostArray FrozenTokens::read(const io::RowReader& reader, std::span<const int64_t> rows,
                             std::pmr::memory_resource* memory) const {
  std::vector<int64_t> places;
  for (const int64_t row : rows) places.push_back(std::max<int64_t>(0, places_[static_cast<size_t>(row)]));
  const Shape shape = reader.shape().with(0, static_cast<int64_t>(rows.size()));
  const bool halves = files_->are_halves;
  HostArray values(halves ? DType::bf16 : reader.dtype(), halves ? shape.with(-1, 2 * shape[-1]) : shape, memory);
  reader.read(places, reader.dtype(), values.bytes.data());
  return values;
}

std::vector<HostArray> FrozenTokens::read(std::span<const int64_t> rows) const {
  std::vector<HostArray> arrays;
  arrays.push_back(read(files_->tokens, rows, pinned_memory(device_)));
  if (files_->summary) arrays.push_back(read(*files_->summary, rows, pinned_memory(device_)));
  return arrays;
}

int64_t FrozenTokens::tokens() const { return files_->tokens.shape()[1]; }

Matrix FrozenTokens::read_tokens(std::span<const int64_t> rows) const {
  const HostArray found = read(files_->tokens, rows, std::pmr::get_default_resource());
  Matrix matrix{std::ssize(rows) * tokens(), found.shape[2]};
  matrix.values.reserve(static_cast<size_t>(matrix.rows * matrix.columns));
  const auto take = [&](const auto& values) {
    for (const auto value : values) matrix.values.push_back(static_cast<float>(value));
  };
  if (found.dtype == DType::f32) take(found.values<float>());
  if (found.dtype == DType::f64) take(found.values<double>());
  if (found.dtype == DType::bf16) take(found.values<BFloat16>());
  return matrix;
}

Encoded FrozenTokens::upload(const std::vector<HostArray>& arrays) const {
  const auto upload = [&](const HostArray& values) {
    if (values.dtype == DType::f32) return data::upload(values, device_);
    if (values.dtype == DType::f64) {
      return Tensor::from_host(values.values<double>(), values.shape, values.dtype, device_);
    }
    Tensor tensor = Tensor::empty(values.shape, values.dtype, device_);
    backend_of(device_).copy_async(tensor, values.bytes.data());
    return tensor;
  };
  return {arrays.size() > 1 ? upload(arrays[1]) : Tensor(), upload(arrays[0])};
}

TokenCache::TokenCache(const Experiment& experiment, const Dataset& dataset, const Provenance& provenance,
                       std::string folder, int64_t bytes, record::Console* console)
    : experiment_(experiment), dataset_(dataset), folder_(std::move(folder)), bytes_(bytes), console_(console) {
  Provenance own{provenance.dataset, {}, {}};
  for (const auto& entry : provenance.code.entries()) {
    const bool comes_later = entry.key.starts_with("loss ") || entry.key.starts_with("task ");
    if (!comes_later) own.code.set(entry.key, entry.value);
  }
  provenance_ = own.text();
}

std::shared_ptr<const FrozenTokens> TokenCache::open(const TokenRequest& request) {
  return find(request, WhenFull::drop_oldest);
}

std::shared_ptr<const FrozenTokens> TokenCache::keep(const TokenRequest& request) {
  return find(request, WhenFull::refuse);
}

std::shared_ptr<const FrozenTokens> TokenCache::find(const TokenRequest& request, WhenFull when_full) {
  const std::vector<int64_t> rows = rows_in_full_batches(dataset_, request);
  if (rows.empty()) return nullptr;
  const std::string key = this->key(request, when_full == WhenFull::refuse);
  const std::string path = fmt::format("{}/{}-{:016x}.h5", folder_, request.name, stable_hash(key));
  if (!fs::exists(path) && !fill(request, path, key, rows, when_full)) return nullptr;
  fs::last_write_time(path, fs::file_time_type::clock::now());  // the least recently used goes first
  return std::make_shared<FrozenTokens>(path, places_of(rows, dataset_.size(request.split)), experiment_.run_device());
}

std::string TokenCache::key(const TokenRequest& request, bool with_trainable) const {
  std::vector<NamedTensor> tensors = request.encoder.state();
  std::erase_if(tensors, [&](const NamedTensor& entry) { return entry.trainable && !with_trainable; });
  std::string encoder = request.encoder_text;
  if (encoder.empty()) encoder = config::to_toml(experiment_.encoder(request.name).plugin.parameters);
  const ViewRequest& view = request.view.request;
  return fmt::format(
      "tensors {}\nencoder {}\ndataset {}\n{}view {} {} {} of {}\nform {}\nbatch {}\nprecision {} on {}, {} threads, "
      "{}\n",
      io::model_hash(tensors), encoder, config::to_toml(experiment_.dataset.parameters), provenance_, view.modality,
      view.field, request.view.shape.str(), request.split == Split::train ? "train" : "test",
      request.form == TokenForm::alignment ? "alignment" : "pretraining", request.batch,
      name_of(experiment_.run_precision()), device_text(experiment_.run_device()), compute_threads(),
      instruction_tier());
}

void TokenCache::load(const TokenRequest& request, const std::vector<int64_t>& rows, int64_t first, int64_t last,
                      const std::function<void(int64_t begin, const HostArray& view)>& use) const {
  const data::LoaderOptions options{.split = request.split,
                                    .batch = request.batch,
                                    .first_step = first,
                                    .steps = last,
                                    .threads = static_cast<int>(experiment_.loader_threads),
                                    .shuffle = false,
                                    .memory = pinned_memory(experiment_.run_device())};
  data::Loader loader(dataset_, rows, {request.view}, {}, options);
  for (int64_t step = first; step < last; ++step) {
    use(step * request.batch, loader.next().views.at(request.view.request.name));
  }
}

Encoded TokenCache::encode(const TokenRequest& request, const HostArray& view) const {
  const autograd::NoGrad guard;
  const Tensor raw = data::upload(view, experiment_.run_device());
  return request.encoder.encode(request.encoder.tokenize(raw), {}, request.form);
}

bool TokenCache::fill(const TokenRequest& request, const std::string& path, const std::string& key,
                      const std::vector<int64_t>& rows, WhenFull when_full) {
  constexpr int64_t batches_between_commits = 16;
  const auto start = std::chrono::steady_clock::now();
  const auto count = static_cast<int64_t>(rows.size());
  Encoded sample;
  load(request, rows, 0, 1, [&](int64_t, const HostArray& view) { sample = encode(request, view); });
  const Tensor& tokens = sample.tokens;
  if (tokens.dtype() == DType::bf16 && tokens.size(-1) % 2 != 0) return false;
  if (!make_room(count * row_bytes(sample), request.name, when_full)) return false;
  std::vector<io::RowFile::Column> columns = {column_of(tokens_column, tokens)};
  if (sample.cls_token.defined()) columns.push_back(column_of(summary_column, sample.cls_token));
  const std::string dtype(name_of(tokens.dtype()));
  io::RowFile file(path, {{"key", key}, {dtype_attribute, dtype}}, columns, count);
  // The device computes a batch while the one before is read and written.
  std::vector<ComingColumn> before;
  const auto write = [&](int64_t end) {
    if (before.empty()) return;
    for (const ComingColumn& column : before) column.write(file);
    if (end / request.batch % batches_between_commits == 0 || end == count) file.commit(end);
    if (console_ != nullptr) {
      console_->progress(fmt::format("tokens of the frozen {} backbone: {}/{} objects", request.name, end, count));
    }
  };
  load(request, rows, file.done() / request.batch, count / request.batch, [&](int64_t begin, const HostArray& view) {
    const Encoded encoded = encode(request, view);
    std::vector<ComingColumn> next;
    next.emplace_back(tokens_column, begin, encoded.tokens);
    if (encoded.cls_token.defined()) next.emplace_back(summary_column, begin, encoded.cls_token);
    write(begin);
    before = std::move(next);
  });
  write(count);
  file.finish();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  say(fmt::format("kept the tokens of the frozen {} backbone: {} {} objects, {} MB, in {}", request.name, count,
                  request.split == Split::train ? "training" : "test", count * row_bytes(sample) / megabyte,
                  record::duration(elapsed.count())));
  return true;
}

bool TokenCache::make_room(int64_t needed, const std::string& name, WhenFull when_full) {
  io::make_folder(folder_);
  auto files = files_by_use(folder_);
  int64_t used = 0;
  for (const auto& [path, size] : files) used += size;
  const bool drops = when_full == WhenFull::drop_oldest;
  for (size_t i = 0; drops && i < files.size() && needed <= bytes_ && used + needed > bytes_; ++i) {
    fs::remove(files[i].first);
    used -= files[i].second;
  }
  const auto free = static_cast<int64_t>(fs::space(folder_).available);
  if (used + needed <= bytes_ && needed < free) return true;
  const auto in_megabytes = [](int64_t bytes) { return (bytes + megabyte - 1) / megabyte; };
  if (!drops) {
    throw Error(
        fmt::format("[evaluation] the tokens of the {} backbone, which a task reads, take {} MB beside {} of others; "
                    "'token_mb' allows {} and the disk has {}",
                    name, in_megabytes(needed), in_megabytes(used), bytes_ / megabyte, free / megabyte));
  }
  say(
      fmt::format("the tokens of the frozen {} backbone are computed at every step: to keep them would take {} MB, "
                  "token_cache_mb allows {} and the disk has {}",
                  name, needed / megabyte, bytes_ / megabyte, free / megabyte));
  return false;
}

}  // namespace astroclip::evaluate
