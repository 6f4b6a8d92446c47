#include "run/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <optional>
#include <sstream>

#include "backend/devices.h"
#include "base/error.h"
#include "base/instructions.h"
#include "base/threads.h"
#include "data/labels.h"
#include "data/objects.h"
#include "evaluate/evaluation.h"
#include "evaluate/overlap.h"
#include "evaluate/report.h"
#include "experiment/fingerprint.h"
#include "experiment/libraries.h"
#include "experiment/stage_key.h"
#include "io/output/durable_file.h"
#include "io/weights/weights_file.h"
#include "model/model_file.h"
#include "model/origins.h"
#include "record/console.h"
#include "record/recorder.h"
#include "report/report.h"
#include "run/checks.h"
#include "run/stage_run.h"
#include "train/trainer.h"

namespace astroclip::run {

namespace {

std::vector<std::string> stage_names(const Experiment& experiment) {
  std::vector<std::string> names;
  for (const StageSpec& stage : experiment.stages) names.push_back(stage.name);
  return names;
}

/// What computes, in words.
std::string computing_device(const std::string& description) { return description.empty() ? "the host" : description; }

void check_same_machine(const record::Checkpoint& checkpoint, Device device) {
  const auto& [path, position] = checkpoint;
  if (position.threads != compute_threads()) {
    throw Error(fmt::format("{}: was written with {} compute threads, this run has {}; resume with --threads {}", path,
                            position.threads, compute_threads(), position.threads));
  }
  if (position.instructions != instruction_tier()) {
    throw Error(fmt::format("{}: was written on a machine with {} instructions, this one has {}", path,
                            position.instructions, instruction_tier()));
  }
  if (const std::string now = device_description(device); position.device != now) {
    throw Error(fmt::format("{}: was computed on {}, this run computes on {}; resume there, or start the run anew",
                            path, computing_device(position.device), computing_device(now)));
  }
}

constexpr const char* looks_key = "looks";  // of a model file's metadata

/// What the bits of weights depend on beside experiment and provenance.
std::string machine(Device device) {
  const std::string card = device_description(device);
  return fmt::format("{} compute threads, {}{}{}", compute_threads(), instruction_tier(), card.empty() ? "" : ", ",
                     card);
}

/// One run from its position to its end.
class Run {
 public:
  Run(const Experiment& experiment, const record::RunFolder& folder, const CachedResults& cached, Rebuilt rebuilt,
      record::Console& console)
      : experiment_(experiment), folder_(folder), cached_(cached), rebuilt_(rebuilt), console_(console) {}

  Outcome run() {
    checkpoint_ = record::latest_checkpoint(folder_.checkpoints());
    if (checkpoint_) check_same_machine(*checkpoint_, device_);
    const record::Position position = checkpoint_ ? checkpoint_->position : record::Position();
    dataset_ = experiment_.dataset.make();
    provenance_ = provenance_of(experiment_, fingerprint(*dataset_));
    provenance_.dataset_files = dataset_->files();
    for (const auto& [name, version] : library_versions()) provenance_.libraries.set(name, {version, {}});
    provenance_.libraries.set("compiler", {compiler_version(), {}});
    provenance_.libraries.set("device", {device_text(device_), {}});
    if (checkpoint_) compare(checkpoint_->position.provenance, checkpoint_->path);
    evaluate::check_evaluation(experiment_, *dataset_);
    in_both_ = evaluate::in_both_splits(*dataset_);
    overlap_ = evaluate::describe_overlap(experiment_, in_both_);
    model_ = std::make_unique<Model>(experiment_.encoders, device_, experiment_.seed);
    const auto first = static_cast<size_t>(position.stage + (checkpoint_ ? 1 : 0));
    check_stages(experiment_, *model_, first);
    check_encoders(experiment_, *model_);
    checks_ = check_batches(experiment_, *model_, *dataset_);
    if (cached_.token_bytes > 0) {
      cache_ = std::make_unique<evaluate::TokenCache>(experiment_, *dataset_, provenance_, cached_.tokens,
                                                      cached_.token_bytes, &console_);
    }
    print_header();
    io::write_text(folder_.provenance(), provenance_.text());
    recorder_ = std::make_unique<record::Recorder>(folder_, stage_names(experiment_), position.stage,
                                                   checkpoint_ ? position.step : -1);
    if (!checkpoint_ && experiment_.evaluation.floors_first) {
      evaluate::show_floors(experiment_, *model_, *dataset_, in_both_, folder_, console_);
    }
    for (const std::string& name : model_->names()) origins_[name] = {};
    if (position.stage > 0) {
      const StageSpec& last = experiment_.stages[static_cast<size_t>(position.stage) - 1];
      const io::Metadata made = io::list_weights(folder_.stage(last.name)).metadata;
      origins_ = read_origins(made);
      read_looks(made);
    }
    for (auto stage = static_cast<size_t>(position.stage); stage < experiment_.stages.size(); ++stage) {
      note_origins(stage);
      if (!take_stage(stage) && !train_stage(stage)) return Outcome::interrupted;
    }
    write_model(folder_.model());
    const std::vector<Report> reports = evaluate::evaluate(experiment_, *model_, origins_, *dataset_, in_both_,
                                                           provenance_, looks_, folder_, console_, cache_.get());
    io::write_text(folder_.report_json(), evaluate::report_json(reports));
    complete_page(folder_, console_);
    return Outcome::finished;
  }

 private:
  /// Throws Error unless a result that is about to be reused is of the same data and code.
  void compare(const Provenance& then, const std::string& path) {
    provenance_.accepted.insert(provenance_.accepted.end(), then.accepted.begin(), then.accepted.end());
    const std::string accepted = check_unchanged(then, provenance_, path, rebuilt_);
    if (accepted.empty()) return;
    console_.say(accepted);
    provenance_.accepted.push_back(accepted);
  }

  void print_header() {
    console_.say(fmt::format("{}: {}, seed {}, {} on {} with {} compute threads and {} loader threads", folder_.path(),
                             experiment_.name, experiment_.seed, name_of(experiment_.run_precision()),
                             device_text(device_), compute_threads(), experiment_.loader_threads));
    if (!experiment_.precision_reason.empty()) {
      console_.say(fmt::format("precision \"auto\" is {}: {}", name_of(experiment_.run_precision()),
                               experiment_.precision_reason));
    }
    console_.say(fmt::format("dataset {}: {} training and {} test objects", experiment_.dataset.plugin,
                             dataset_->size(Split::train), dataset_->size(Split::test)));
    for (const std::string& note : dataset_->notes()) console_.say(note);
    if (!overlap_.empty()) console_.say(overlap_);
    if (experiment_.validation > 0.0) {
      const int64_t joined = data::group_objects(*dataset_, Split::train).by_position;
      if (joined > 0) {
        console_.say(
            fmt::format("{} training objects lie within {} arcsec of one with another object_id: validation "
                        "takes them for one object",
                        joined, data::same_object_radius));
      }
    }
    for (const std::string& name : model_->names()) {
      console_.say(fmt::format("encoder {}: {}, {:.2f} M parameters", name, experiment_.encoder(name).plugin.plugin,
                               static_cast<double>(model_->encoder(name).parameter_count()) / 1e6));
    }
    for (const StageCheck& check : checks_) {
      if (!check.memory.empty()) console_.say(check.memory);
    }
    if (checkpoint_) console_.say(fmt::format("resuming from {}", checkpoint_->path));
  }

  /// The metadata has the experiment as the run was started with it; a resumed run writes the same.
  void write_model(const std::string& path) const {
    io::Metadata metadata = origins_metadata(origins_);
    metadata["experiment"] = io::read_text(folder_.resolved());
    metadata["provenance"] = provenance_.text();
    metadata["machine"] = machine(device_);
    if (!looks_.empty()) metadata[looks_key] = fmt::format("{}", fmt::join(looks_, "\n"));
    write_model_file(path, model_->state(), {experiment_.encoders, dataset_->preprocessing(), {}}, metadata);
  }

  /// What the stages up to one said whose weights have this metadata.
  void read_looks(const io::Metadata& metadata) {
    looks_.clear();
    const auto found = metadata.find(looks_key);
    if (found == metadata.end()) return;
    std::istringstream text(found->second);
    for (std::string line; std::getline(text, line);) looks_.push_back(line);
  }

  void initialise(const StageSpec& stage) {
    for (const InitSpec& init : stage.init) {
      const std::string path = init.is_stage ? folder_.stage(init.source) : init.source;
      const LoadedEncoder loaded = model_->load(init.encoder, path);
      if (!init.is_stage) {
        console_.say(fmt::format("stage {}: {} from {}: {}", stage.name, init.encoder, path, loaded.from.text()));
      }
    }
  }

  /// What the weights are once the stage is over.
  void note_origins(size_t index) {
    for (const InitSpec& init : experiment_.stages[index].init) {
      const std::string path = init.is_stage ? folder_.stage(init.source) : init.source;
      if (!std::filesystem::exists(path)) {  // it was there when the stage began that is resumed
        origins_[init.encoder] = {Origin::file, Origin::file};
        continue;
      }
      const Model from({experiment_.encoder(init.encoder)}, device_, std::nullopt);
      const bool brings_head = from.load(init.encoder, path).has_head;
      add_file(origins_, init.encoder, path, brings_head || !has_own_head(from.encoder(init.encoder)));
    }
    add_stage(origins_, *model_, checks_[index].reached);
  }

  bool resumes(size_t stage) const { return checkpoint_ && static_cast<size_t>(checkpoint_->position.stage) == stage; }

  /// Copies the weights with which another run ended the stage; false if there are none.
  bool take_stage(size_t index) {
    const std::string source = index < cached_.stages.size() ? cached_.stages[index] : "";
    if (source.empty() || resumes(index)) return false;
    io::Metadata made = io::list_weights(source).metadata;
    if (made["machine"] != machine(device_)) {
      console_.say(fmt::format("stage {}: not copied from {}, which was made with {}", experiment_.stages[index].name,
                               source, made["machine"].empty() ? "an earlier version" : made["machine"]));
      return false;
    }
    compare(Provenance::parse(made["provenance"], source), source);
    for (const std::string& name : encoders_up_to({experiment_, index})) model_->load(name, source);
    console_.say(fmt::format("stage {}: weights copied from {}", experiment_.stages[index].name, source));
    read_looks(made);
    write_model(folder_.stage(experiment_.stages[index].name));
    return true;
  }

  /// False when a signal ended the stage early.
  bool train_stage(size_t index) {
    const StageSpec& stage = experiment_.stages[index];
    if (!resumes(index)) initialise(stage);
    train::Trainer trainer({experiment_, index}, *model_, *dataset_, resumes(index) ? checkpoint_ : std::nullopt,
                           cache_.get(), origins_);
    console_.say(fmt::format("stage {}: {} on {}, {:.2f} M trainable parameters, {} objects", stage.name,
                             stage.loss.plugin, fmt::join(stage.encoders, " and "),
                             static_cast<double>(trainer.trainable_parameters()) / 1e6, trainer.row_count()));
    StageRun stage_run(
        stage, folder_, trainer, console_, *recorder_, [this](const std::string& path) { write_model(path); },
        provenance_);
    if (!stage_run.run()) return false;
    if (trainer.watch() != nullptr) looks_.push_back(trainer.watch()->note());
    choose_weights(stage, trainer);
    write_model(folder_.stage(stage.name));
    memory_of(device_).trim();
    return true;
  }

  /// Gives the model the weights that the stage ends with.
  void choose_weights(const StageSpec& stage, train::Trainer& trainer) {
    if (stage.validation.keep == Keep::best && trainer.selection().has_best()) {
      for (const std::string& name : stage.encoders) model_->load(name, folder_.best(stage.name));
      console_.say(fmt::format("stage {} ends with the weights of step {}, {} = {:.6g}", stage.name,
                               trainer.selection().step_of_best(), stage.validation.metric,
                               trainer.selection().best_value()));
    } else {
      trainer.keep_weights_in_use();
    }
  }

  const Experiment& experiment_;
  const Device device_ = experiment_.run_device();
  const record::RunFolder& folder_;
  const CachedResults& cached_;
  Rebuilt rebuilt_;
  record::Console& console_;
  Provenance provenance_;
  std::optional<record::Checkpoint> checkpoint_;  ///< what the run resumes from
  std::shared_ptr<Dataset> dataset_;
  evaluate::InBoth in_both_;
  std::string overlap_;  ///< what becomes of test objects that are training objects, too; "" without any
  std::unique_ptr<Model> model_;
  std::vector<StageCheck> checks_;  ///< by stage
  Origins origins_;                 ///< of the model's weights at the end of the current stage
  std::vector<std::string> looks_;  ///< for a collapse, at the end of each stage
  std::unique_ptr<evaluate::TokenCache> cache_;
  std::unique_ptr<record::Recorder> recorder_;
};

void note_failure(record::Console& console, const std::exception& error) {
  try {
    console.note(record::failure_mark + std::string(error.what()));
  } catch (const Error&) {  // what ended the run may keep the log from being written, too
  }
}

}  // namespace

Outcome run(const Experiment& experiment, const record::RunFolder& folder, const CachedResults& cached,
            Rebuilt rebuilt) {
  set_compute_threads(static_cast<int>(experiment.threads));
  const record::RunLock lock(folder);
  record::Console console(folder.log());
  try {
    return Run(experiment, folder, cached, rebuilt, console).run();
  } catch (const std::exception& error) {
    note_failure(console, error);
    throw;
  }
}

void complete_page(const record::RunFolder& folder, record::Console& console) {
  if (std::filesystem::exists(folder.report() + "/index.html")) return;
  try {
    report::write_report(report::read_results({folder.path()}), folder.report());
    console.say(fmt::format("report: {}/index.html", folder.report()));
  } catch (const std::exception& error) {
    console.say(fmt::format("warning: the page of the run is not written: {}; `astroclip report {}` writes it anew",
                            error.what(), folder.path()));
  }
}

}  // namespace astroclip::run
