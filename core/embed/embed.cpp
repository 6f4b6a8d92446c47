#include "embed/embed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <numeric>
#include <utility>

#include "backend/devices.h"
#include "backend/pinned.h"
#include "base/error.h"
#include "base/finite.h"
#include "base/instructions.h"
#include "base/rng.h"
#include "base/threads.h"
#include "config/toml.h"
#include "data/fields.h"
#include "data/loader.h"
#include "embed/inputs.h"
#include "embed/loaded_model.h"
#include "evaluate/embedder.h"
#include "experiment/fingerprint.h"
#include "experiment/provenance.h"
#include "io/hdf5/hdf5.h"
#include "io/output/row_file.h"
#include "io/weights/weights_file.h"
#include "model/model.h"
#include "model/model_file.h"
#include "probe/probe_file.h"
#include "record/checkpoint.h"
#include "record/console.h"
#include "record/stop_request.h"

namespace astroclip::embed {

namespace {

using Clock = std::chrono::steady_clock;
// A kill costs at most a second or this many batches.
constexpr std::chrono::seconds between_commits(1);
constexpr int64_t batches_between_commits = 64;
constexpr int64_t ids_at_once = 1 << 16;
constexpr int64_t batches_of_a_stretch = 1024;  // whose row numbers are held at a time

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// A probe's predictions in the output.
struct AppliedProbe {
  std::string encoder, column;
  probe::FittedProbe fitted;
  std::string description;  ///< for the output's attributes

  int64_t outputs() const { return std::ssize(fitted.outputs); }

  /// [rows, outputs]; NaN where a vector is not finite.
  std::vector<double> predict(const Matrix& vectors) const {
    std::vector<int64_t> rows;
    for (int64_t row = 0; row < vectors.rows; ++row) {
      if (all_finite(vectors.row(row))) rows.push_back(row);
    }
    std::vector<double> all(static_cast<size_t>(vectors.rows * outputs()), std::numeric_limits<double>::quiet_NaN());
    if (rows.empty()) return all;
    const std::vector<double> found = fitted.predict(select_rows(vectors, rows));
    for (size_t i = 0; i < rows.size(); ++i) {
      std::copy_n(found.begin() + static_cast<std::ptrdiff_t>(i) * outputs(), outputs(),
                  all.begin() + rows[i] * outputs());
    }
    return all;
  }
};

class Embedding {
 public:
  explicit Embedding(const Request& request)
      : request_(request), inputs_(open_inputs(request)), model_(request.model, request.architecture) {
    const ModelDescription& description = model_.description();
    choose_encoders(description);
    for (Input& input : inputs_) input.take_views(description, encoders_);
    choose_precision();
    choose_id_kind();
    hash_ = description.hash;
    for (const std::string& path : request_.probes) add_probe(path);
    for (const Input& input : inputs_) rows_ += input.size();
    note_provenance();
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
    check_widths();
    memory().trim();
  }

  /// What is known of the inputs and of the code; throws Error when the output was begun with others.
  void note_provenance() {
    Provenance now;
    const Dataset* before = nullptr;
    config::Table plugins;
    std::map<std::string, std::string> facts;  // of all inputs, one after another
    std::string contents;                      // of all files
    for (const Input& input : inputs_) {
      if (std::exchange(before, input.objects.get()) == input.objects.get()) continue;  // another split
      const config::Table own = fingerprint(*input.objects);
      for (const auto& entry : own.entries()) facts[entry.key] += config::to_toml(entry.value);
      if (const config::Value* of_files = own.find(file_contents)) contents += *of_files->get_if<std::string>();
      for (std::string& file : input.objects->files()) now.dataset_files.push_back(std::move(file));
      if (const config::Value* names = own.find(unreadable_labels)) {
        add_note(input, fmt::format("{}, and are left out: {}", unreadable_labels, *names->get_if<std::string>()));
      }
      for (const std::string& note : input.objects->notes()) add_note(input, note);
      config::Table dataset;
      dataset.set("plugin", {input.objects->plugin_name(), {}});
      plugins.set(input.name, {dataset, {}});
    }
    for (const auto& [name, values] : facts) now.dataset.set(name, {fmt::format("{:016x}", stable_hash(values)), {}});
    if (!contents.empty()) now.dataset.set(file_contents, {contents, {}});
    for (const EncoderSpec& encoder : encoders_) plugins.set(encoder.name, {encoder.plugin.parameters, {}});
    now.code = code_of({plugins, {}});
    provenance_ = now.text();
    for (const std::string& path : {request_.output, request_.output + ".partial"}) {
      if (!std::filesystem::exists(path)) continue;
      const std::string there = io::Hdf5File::open(path).attribute("provenance");
      const std::string advice = "delete it to begin anew";
      const Provenance then = Provenance::parse(there, path);
      const std::string unknown = check_unchanged(then, now, path, Rebuilt::refuse, advice);
      if (!unknown.empty()) throw Error(fmt::format("{}; {}", unknown, advice));
      provenance_ = there;
    }
  }

  /// Each note is told once, with the first input that it is of.
  void add_note(const Input& input, const std::string& note) {
    const auto known = std::ranges::find(notes_, note, &Note::text);
    if (known == notes_.end())
      notes_.push_back({note, input.name, 1});
    else
      ++known->inputs;
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

  /// Throws Error unless the probe was fitted on embeddings of this kind that the encoders in use give.
  void add_probe(const std::string& path) {
    probe::ProbeFile file = probe::read_probe(path);
    const std::string encoder = file["encoder"], model = file["model_hash"], embedding = file["embedding"];
    if (model != hash_) {
      throw Error(fmt::format("{}: was fitted on embeddings of the model {}; {} is the model {}", path, model,
                              request_.model, hash_));
    }
    if (embedding != request_.embedding) {
      throw Error(fmt::format("{}: was fitted on embeddings that --embedding {} gives, not {}", path, embedding,
                              request_.embedding));
    }
    if (std::ranges::find(encoders_, encoder, &EncoderSpec::name) == encoders_.end()) {
      throw Error(fmt::format("{}: takes the embedding '{}', which is not among those to write", path, encoder));
    }
    const std::string column = fmt::format("{}_{}_{}", encoder, file.fitted.predicts, file.fitted.method);
    if (std::ranges::find(probes_, column, &AppliedProbe::column) != probes_.end()) {
      throw Error(fmt::format("{}: another --probe predicts {}, too", path, column));
    }
    std::string description =
        fmt::format("{}: {}, protocol {}, of {}; hash {}", column, fmt::join(file.fitted.outputs, ", "),
                    file["protocol"], file["trained_on"], io::model_hash(file.fitted.tensors()));
    probes_.push_back({encoder, column, std::move(file.fitted), std::move(description)});
  }

  /// Throws Error naming the probe that takes vectors of another width than its encoder gives.
  void check_widths() const {
    for (size_t i = 0; i < probes_.size(); ++i) {
      const auto columns = std::ssize(probes_[i].fitted.standardise.means());
      const int64_t width = width_of(probes_[i].encoder);
      if (columns == width) continue;
      throw Error(fmt::format("{}: takes vectors of {} columns; the embedding '{}' has {}", request_.probes[i], columns,
                              probes_[i].encoder, width));
    }
  }

  std::vector<io::RowFile::Column> columns() const {
    std::vector<io::RowFile::Column> all;
    for (const std::string& name : model_.model().names()) {
      all.push_back({column_of(name), DType::f32, {width_of(name)}});
    }
    for (const AppliedProbe& one : probes_) {
      all.push_back({one.column, DType::f64, one.outputs() == 1 ? Shape{} : Shape{one.outputs()}});
    }
    if (id_kind_ == IdKind::text) {
      all.push_back({"object_id", DType::u8, {id_bytes_}, IdKind::text});
    } else {
      all.push_back({"object_id", DType::i64, {}, id_kind_});
    }
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
                                   {"provenance", provenance_},
                                   {"device", device_text(device_)},
                                   {"precision", name_of(precision_)},
                                   {"instructions", instruction_tier()},
                                   {"threads", std::to_string(compute_threads())},
                                   {"batch", std::to_string(request_.batch)}};
    std::vector<std::string> probes;
    for (const AppliedProbe& one : probes_) probes.push_back(one.description);
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
    for (const auto& [text, first, inputs] : notes_) {
      console_.say(fmt::format("{}{}: {}", first, inputs == 1 ? "" : fmt::format(" and {} more", inputs - 1), text));
    }
    if (done > 0) console_.say(fmt::format("resuming after {} of {} objects", done, rows_));
  }

  /// Identifiers are written as the inputs have them; as texts where the inputs differ.
  void choose_id_kind() {
    id_kind_ = inputs_.front().objects->id_kind();
    for (const Input& input : inputs_) {
      if (input.objects->id_kind() != id_kind_) id_kind_ = IdKind::text;
    }
    if (id_kind_ != IdKind::text) return;
    for (const Input& input : inputs_) {
      for (int64_t begin = 0; begin < input.size(); begin += ids_at_once) {
        std::vector<int64_t> rows(static_cast<size_t>(std::min(ids_at_once, input.size() - begin)));
        std::iota(rows.begin(), rows.end(), begin);
        for (const std::string& text : texts_of(data::read_object_ids(*input.objects, input.split, rows))) {
          id_bytes_ = std::max(id_bytes_, std::ssize(text));
        }
      }
    }
  }

  static std::vector<std::string> texts_of(const ObjectIds& ids) {
    if (ids.kind == IdKind::text) return ids.texts;
    IdNames names;
    names.add(ids);
    std::vector<std::string> texts;
    for (const int64_t key : ids.keys) texts.push_back(names(key));
    return texts;
  }

  void write_ids(io::RowFile& file, int64_t begin, const ObjectIds& ids) const {
    const auto count = std::ssize(ids.keys);
    if (id_kind_ != IdKind::text) return file.write("object_id", begin, count, ids.keys.data());
    file.write("object_id", begin, count, padded_texts(texts_of(ids), static_cast<size_t>(id_bytes_)).data());
  }

  /// Rows [from, end) of an input that begins at row `begin` of the output. False when a signal ended it early.
  bool embed_stretch(io::RowFile& file, const Input& input, int64_t begin, int64_t from, int64_t end) {
    from = std::max(from, file.done() - begin);
    if (from >= end) return true;
    std::vector<int64_t> rows(static_cast<size_t>(end - from));
    std::iota(rows.begin(), rows.end(), from);
    write_ids(file, begin + from, data::read_object_ids(*input.objects, input.split, rows));
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
    std::vector<evaluate::ComingMatrix> before;
    const auto write = [&] {
      if (before.empty()) return;
      const int64_t count = queued - written;
      for (size_t i = 0; i < model_.embedders().size(); ++i) {
        const evaluate::Embedder& embedder = model_.embedders()[i];
        Matrix vectors = std::move(before[i]).get();
        const auto usable = present.find(embedder.view().request.name);
        if (usable != present.end()) {
          evaluate::blank_missing(vectors, usable->second, static_cast<size_t>(written - from));
        }
        for (const AppliedProbe& one : probes_) {
          if (one.encoder != embedder.tower()) continue;
          file.write(one.column, begin + written, count, one.predict(vectors).data());
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
      std::vector<evaluate::ComingMatrix> next;
      for (const evaluate::Embedder& embedder : model_.embedders()) {
        const auto view = batch.views.find(embedder.view().request.name);
        if (view == batch.views.end()) {
          next.emplace_back(blank(count, width_of(embedder.tower())));
          continue;
        }
        next.push_back(embedder.embed(view->second));
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

  /// What the user should know of the inputs.
  struct Note {
    std::string text, first;  ///< the first input that it is of
    int64_t inputs = 0;
  };

  const Request& request_;
  std::vector<Input> inputs_;
  std::vector<Note> notes_;
  LoadedModel model_;
  int64_t rows_ = 0;
  std::string hash_, provenance_;
  std::vector<EncoderSpec> encoders_;
  const Device device_ = device_named(request_.device);
  Precision precision_ = Precision::f32;
  IdKind id_kind_ = IdKind::int64;
  int64_t id_bytes_ = 1;          ///< of the longest text
  std::string precision_reason_;  ///< why "auto" is that
  std::vector<AppliedProbe> probes_;
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
