#include "embed/embed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "backend/devices.h"
#include "backend/pinned.h"
#include "base/error.h"
#include "base/finite.h"
#include "base/instructions.h"
#include "base/threads.h"
#include "data/fields.h"
#include "data/loader.h"
#include "embed/applied_probe.h"
#include "embed/input_provenance.h"
#include "embed/inputs.h"
#include "embed/loaded_model.h"
#include "embed/written_ids.h"
#include "evaluate/batch_embedder.h"
#include "evaluate/embedder.h"
#include "io/output/row_file.h"
#include "model/model.h"
#include "model/model_file.h"
#include "record/console.h"
#include "record/stop_request.h"

namespace astroclip::embed {

namespace {

using Clock = std::chrono::steady_clock;
// A kill costs at most a second or this many batches.
constexpr std::chrono::seconds between_commits(1);
constexpr int64_t batches_between_commits = 64;
constexpr int64_t batches_of_a_stretch = 1024;  // whose row numbers are held at a time

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// What an encoder gives of a batch, on its way from the device; tokens in a row of each object, for probes that read
/// some.
struct Coming {
  evaluate::ComingMatrix vectors;
  std::optional<evaluate::ComingMatrix> tokens;
};

class Embedding {
 public:
  explicit Embedding(const Request& request)
      : request_(request), inputs_(open_inputs(request)), model_(request.model, request.architecture) {
    const ModelDescription& description = model_.description();
    choose_encoders(description);
    for (Input& input : inputs_) input.take_views(description, encoders_);
    choose_precision();
    ids_.emplace(inputs_);
    hash_ = description.hash;
    for (const std::string& path : request_.probes) add_probe(path);
    for (const Input& input : inputs_) rows_ += input.size();
    provenance_ = provenance_of(inputs_, encoders_, request_.output);
  }

  run::Outcome run() {
    load_model();
    io::RowFile file(request_.output, attributes(), columns(), rows_);
    print_header(file.done());
    start_ = Clock::now();
    first_ = file.done();
    int64_t begin = 0;
    for (const Input& input : inputs_) {
      const int64_t stretch = request_.batch * batches_of_a_stretch;
      for (int64_t row = 0; row < input.size(); row += stretch) {
        const int64_t end = std::min(input.size(), row + stretch);
        if (!embed_stretch(file, input, begin, row, end)) return interrupted(file.done());
      }
      begin += input.size();
    }
    if (file.done() < rows_) file.commit(rows_);
    file.finish();
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    console_.say(
        fmt::format("{}: {} objects, {} of them now, in {:.1f} s", request_.output, rows_, rows_ - first_, seconds));
    if (not_finite_ > 0) {
      console_.say(
          fmt::format("{} images or spectra contain non-finite values; their embeddings are NaN", not_finite_));
    }
    return run::Outcome::finished;
  }

 private:
  /// An output that was begun keeps its precision, however fast products are now.
  void choose_precision() {
    std::string name = request_.precision;
    if (name == "auto") name = io::RowFile::attribute_of(request_.output, "precision");
    if (name.empty()) {
      const PrecisionChoice& choice = fastest_precision(device_);
      precision_ = choice.precision;
      precision_reason_ = choice.reason;
      return;
    }
    precision_ = name == name_of(Precision::bf16) ? Precision::bf16 : Precision::f32;
    if (backend_of(device_).supports(precision_)) return;
    throw Error(fmt::format("precision {} needs bfloat16 instructions, which the device '{}' of this machine lacks",
                            name, device_.str()));
  }

  void choose_encoders(const ModelDescription& description) {
    std::vector<std::string> known;
    for (const auto& encoder : description.encoders) known.push_back(encoder.name);
    for (const std::string& wanted : request_.modalities) {
      if (!holds(known, wanted)) {
        throw Error(
            fmt::format("{}: has no encoder for '{}', only for {}", request_.model, wanted, fmt::join(known, " and ")));
      }
    }
    for (const auto& encoder : description.encoders) {
      const bool wanted = request_.modalities.empty() || holds(request_.modalities, encoder.name);
      const bool given =
          std::ranges::any_of(inputs_, [&](const Input& input) { return input.has(modality_of(encoder)); });
      if (wanted && given) encoders_.push_back(encoder);
    }
    if (encoders_.empty()) {
      throw Error(fmt::format("{}: encodes {}, the inputs have {}", request_.model, fmt::join(known, " and "),
                              fmt::join(measurements(), " and ")));
    }
  }

  /// Names of the inputs' fields, without labels.
  std::vector<std::string> measurements() const {
    std::vector<std::string> names;
    for (const Input& input : inputs_) {
      for (const Field& field : input.objects->fields()) {
        if (field.shape.rank() > 0 && !holds(names, field.name)) names.push_back(field.name);
      }
    }
    return names;
  }

  void load_model() {
    model_.load(encoders_, device_, precision_, wants_head(),
                [this](const std::string& sentence) { console_.say(sentence); });
    for (const AppliedProbe& one : probes_) one.check_width(width_of(one.encoder()));
    for (const evaluate::Embedder& embedder : model_.embedders()) batches_.emplace_back(embedder);
    memory().trim();
  }

  Memory& memory() const { return memory_of(device_); }

  /// Call only when no activation is alive.
  void report_memory() {
    const MemoryStatistics statistics = memory().statistics();
    console_.say(fmt::format("memory: {} MB of packed weights, an arena of {} MB", statistics.used_bytes >> 20,
                             (statistics.reserved_bytes - statistics.used_bytes) >> 20));
  }

  bool wants_head() const { return request_.embedding == "head"; }

  int64_t width_of(const std::string& name) const {
    const Encoder& encoder = model_.model().encoder(name);
    return wants_head() ? encoder.embedding_width() : encoder.dim();
  }

  static std::string column_of(const std::string& encoder) { return encoder + "_embeddings"; }

  /// Throws Error unless the probe was fitted on embeddings that the encoders in use give.
  void add_probe(const std::string& path) {
    AppliedProbe probe(path, {request_.model, hash_, request_.embedding});
    if (std::ranges::find(encoders_, probe.encoder(), &EncoderSpec::name) == encoders_.end()) {
      throw Error(
          fmt::format("{}: takes the embedding '{}', which is not among those to write", path, probe.encoder()));
    }
    const std::string column = probe.column().name;
    if (std::ranges::any_of(probes_, [&](const AppliedProbe& other) { return other.column().name == column; })) {
      throw Error(fmt::format("{}: another --probe predicts {}, too", path, column));
    }
    probes_.push_back(std::move(probe));
  }

  std::vector<io::RowFile::Column> columns() const {
    std::vector<io::RowFile::Column> all;
    for (const std::string& name : model_.model().names()) {
      all.push_back({column_of(name), DType::f32, {width_of(name)}});
    }
    for (const AppliedProbe& one : probes_) all.push_back(one.column());
    all.push_back(ids_->column());
    return all;
  }

  /// Everything the numbers depend on.
  io::RowFile::Attributes attributes() const {
    std::string contents;
    for (const Input& input : inputs_) contents += input.contents;
    io::RowFile::Attributes all = {{"model", std::filesystem::path(request_.model).filename().string()},
                                   {"model_hash", hash_},
                                   {"architecture", architecture_text(encoders_)},
                                   {"embedding", request_.embedding},
                                   {"inputs", contents},
                                   {"provenance", provenance_.text},
                                   {"device", device_text(device_)},
                                   {"precision", name_of(precision_)},
                                   {"instructions", instruction_tier()},
                                   {"threads", std::to_string(compute_threads())},
                                   {"batch", std::to_string(request_.batch)}};
    std::vector<std::string> probes;
    for (const AppliedProbe& one : probes_) probes.push_back(one.description());
    if (!probes.empty()) all.emplace_back("probes", fmt::format("{}", fmt::join(probes, "\n")));
    return all;
  }

  void print_header(int64_t done) {
    console_.say(fmt::format("{}: model {}, {} in {} on {} with {} compute threads", request_.model, hash_,
                             fmt::join(model_.model().names(), " and "), name_of(precision_), device_text(device_),
                             compute_threads()));
    if (!precision_reason_.empty()) {
      console_.say(fmt::format("precision \"auto\" is {}: {}", name_of(precision_), precision_reason_));
    }
    for (const auto& [text, first, inputs] : provenance_.notes) {
      console_.say(fmt::format("{}{}: {}", first, inputs == 1 ? "" : fmt::format(" and {} more", inputs - 1), text));
    }
    if (done > 0) console_.say(fmt::format("resuming after {} of {} objects", done, rows_));
  }

  /// Rows [from, end) of an input that begins at row `begin` of the output. False when a signal ended it early.
  bool embed_stretch(io::RowFile& file, const Input& input, int64_t begin, int64_t from, int64_t end) {
    from = std::max(from, file.done() - begin);
    if (from >= end) return true;
    std::vector<int64_t> rows(static_cast<size_t>(end - from));
    std::iota(rows.begin(), rows.end(), from);
    ids_->write(file, begin + from, data::read_object_ids(*input.objects, input.split, rows));
    std::vector<data::ViewPlan> there;
    std::map<std::string, std::vector<bool>> present;  // by view
    for (const evaluate::Embedder& embedder : model_.embedders()) {
      if (!input.has(embedder.view().request.modality)) continue;
      there.push_back(embedder.view());
      present[embedder.view().request.name] =
          data::observed(*input.objects, input.split, rows, embedder.view().request.modality);
    }
    // The device computes a batch while the one before it is read and written.
    int64_t queued = from, written = from;
    std::vector<Coming> before;
    const auto write = [&] {
      if (before.empty()) return;
      const int64_t count = queued - written;
      for (size_t i = 0; i < model_.embedders().size(); ++i) {
        const evaluate::Embedder& embedder = model_.embedders()[i];
        Matrix vectors = std::move(before[i].vectors).get();
        std::optional<Matrix> tokens;
        if (before[i].tokens) tokens = std::move(*before[i].tokens).get();
        const auto usable = present.find(embedder.view().request.name);
        if (usable != present.end()) {
          evaluate::blank_missing(vectors, usable->second, static_cast<size_t>(written - from));
          if (tokens) evaluate::blank_missing(*tokens, usable->second, static_cast<size_t>(written - from));
        }
        for (const AppliedProbe& one : probes_) {
          if (one.encoder() != embedder.tower()) continue;
          const Matrix& features = tokens && one.reads_tokens() ? *tokens : vectors;
          file.write(one.column().name, begin + written, count, one.predict(features).data());
        }
        file.write(column_of(embedder.tower()), begin + written, count, vectors.values.data());
      }
      before.clear();
      written = queued;
      progress(begin + written);
    };
    bool continues = true;
    const data::LoaderOptions loading{.split = input.split,
                                      .batch = request_.batch,
                                      .threads = static_cast<int>(request_.loader_threads),
                                      .memory = pinned_memory(device_)};
    evaluate::for_each_batch(*input.views, rows, there, loading, [&](const data::Batch& batch) {
      const int64_t count = std::min(request_.batch, end - queued);
      if (count != last_count_) memory().trim();  // blocks of other sizes would only lie beside the new ones
      std::vector<Coming> next;
      for (size_t i = 0; i < model_.embedders().size(); ++i) {
        const evaluate::Embedder& embedder = model_.embedders()[i];
        const auto view = batch.views.find(embedder.view().request.name);
        if (view == batch.views.end()) {
          next.push_back({evaluate::ComingMatrix(blank(count, width_of(embedder.tower()))), std::nullopt});
          continue;
        }
        next.push_back(embed_batch(embedder.tower(), batches_[i], view->second));
        not_finite_ += leave_out_bad(view->second, present.at(view->first), static_cast<size_t>(queued - from));
      }
      if (last_count_ == 0) report_memory();
      last_count_ = count;
      write();
      before = std::move(next);
      queued += count;
      continues = !stop_.requested();
      const bool due = begin + written - file.done() >= batches_between_commits * request_.batch ||
                       Clock::now() - committed_ > between_commits;
      if (!continues) write();
      if (!continues || due) {
        file.commit(begin + written);
        committed_ = Clock::now();
      }
      return continues;
    });
    write();
    return continues;
  }

  Coming embed_batch(const std::string& tower, evaluate::BatchEmbedder& batches, const HostArray& views) const {
    const evaluate::Embedded embedded = batches.embed(views);
    Coming coming{evaluate::ComingMatrix(embedded.vectors), std::nullopt};
    const bool wants_tokens = std::ranges::any_of(
        probes_, [&](const AppliedProbe& one) { return one.encoder() == tower && one.reads_tokens(); });
    const Tensor& tokens = embedded.features.tokens;
    if (wants_tokens) coming.tokens.emplace(tokens.view_as({tokens.size(0), tokens.size(1) * tokens.size(2)}));
    return coming;
  }

  static Matrix blank(int64_t rows, int64_t columns) {
    return {rows, columns,
            std::vector<float>(static_cast<size_t>(rows * columns), std::numeric_limits<float>::quiet_NaN())};
  }

  /// Marks objects whose view has a value that is not finite as missing; the batch begins at `present[first]`. Returns
  /// their number.
  static int64_t leave_out_bad(const HostArray& view, std::vector<bool>& present, size_t first) {
    const auto values = view.values<float>();
    const auto count = static_cast<size_t>(view.shape[0]), of_each = values.size() / std::max<size_t>(1, count);
    int64_t bad = 0;
    for (size_t i = 0; i < count; ++i) {
      const auto own = values.subspan(i * of_each, of_each);
      if (!present[first + i] || all_finite(own)) continue;
      present[first + i] = false;
      ++bad;
    }
    return bad;
  }

  void progress(int64_t done) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double rate = static_cast<double>(done - first_) / seconds;
    console_.progress(fmt::format("embedded {}/{}  {:.1f} objects/s  {} left", done, rows_, rate,
                                  record::duration(static_cast<double>(rows_ - done) / rate)));
  }

  run::Outcome interrupted(int64_t done) {
    console_.say(fmt::format("stopped after {} of {} objects; repeat the command to resume", done, rows_));
    return run::Outcome::interrupted;
  }

  const Request& request_;
  std::vector<Input> inputs_;
  std::optional<WrittenIds> ids_;
  LoadedModel model_;
  int64_t rows_ = 0;
  std::string hash_;
  InputProvenance provenance_;
  std::vector<EncoderSpec> encoders_;
  const Device device_ = device_named(request_.device);
  Precision precision_ = Precision::f32;
  std::string precision_reason_;  ///< why "auto" is that
  std::vector<AppliedProbe> probes_;
  std::vector<evaluate::BatchEmbedder> batches_;  ///< by the model's embedders
  record::Console console_;
  record::StopRequest stop_;
  Clock::time_point start_, committed_;
  int64_t first_ = 0;       ///< rows that an earlier call finished
  int64_t last_count_ = 0;  ///< objects of the previous batch
  int64_t not_finite_ = 0;  ///< images and spectra with such a value
};

}  // namespace

run::Outcome embed(const Request& request) {
  set_compute_threads(static_cast<int>(request.threads));
  return Embedding(request).run();
}

}  // namespace astroclip::embed
