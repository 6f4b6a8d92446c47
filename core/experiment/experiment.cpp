#include "experiment/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "config/schema.h"
#include "config/toml.h"
#include "experiment/stage_schema.h"
#include "plugin/host.h"

namespace astroclip {

namespace {

using config::at_least;
using config::between;
using config::Location;
using config::Problems;
using config::Schema;
using config::Table;
using config::Value;

/// The file's outline; what plugins read stays as it stands until their own schemas take it.
struct General {
  std::string name = "experiment";
  int64_t seed = 0;
  std::string device = "auto";
  std::string precision = "f32";
  int64_t threads = 0;
  int64_t loader_threads = 1;
  double validation = 0.0;
};

struct Outline {
  General experiment;
  Value dataset, augmentation, encoders, stages, tasks;
  EvaluationSpec evaluation;
};

std::vector<std::string> device_choices() {
  std::vector<std::string> choices = device_names();
  choices.insert(choices.begin(), "auto");
  return choices;
}

const Schema<General>& general_schema() {
  static const auto schema =
      Schema<General>("The run as a whole.")
          .field("name", &General::name, "names the run's folder", config::file_name())
          .field("seed", &General::seed, "of every random stream", at_least(0))
          .field("device", &General::device, "where to compute", config::one_of(device_choices()))
          .field("precision", &General::precision, "operands of products; auto: bf16 where the device has it",
                 config::one_of({"auto", "f32", "bf16"}))
          .field("threads", &General::threads, "compute threads; 0: one for each core", between(0, 4096))
          .field("loader_threads", &General::loader_threads, "threads that read ahead", between(1, 256))
          .field("validation", &General::validation,
                 "share of the training objects that are set apart: no stage trains on them", between(0.0, 0.9));
  return schema;
}

const Schema<EvaluationSpec>& evaluation_schema() {
  static const auto schema =
      Schema<EvaluationSpec>("What the tasks measure.")
          .field("objects", &EvaluationSpec::objects,
                 "which to embed: those with every modality, or all, whatever they lack",
                 config::one_of({"paired", "all"}))
          .field("embedding", &EvaluationSpec::embedding,
                 "the encoders' embedding: their heads', or the backbone's class or mean token",
                 config::one_of({"head", "pool"}))
          .field("batch", &EvaluationSpec::batch, "objects embedded at once", between(1, 65536))
          .field("baselines", &EvaluationSpec::baselines, "floors measured beside the embedding",
                 config::each(config::one_of({"untrained", "pca", "magnitudes"})))
          .field("models", &EvaluationSpec::models,
                 "model files whose embeddings are measured beside the experiment's own, named after the files or "
                 "their runs")
          .field("pca_components", &EvaluationSpec::pca_components, "components of the PCA floor", between(1, 4096))
          .field("pca_rows", &EvaluationSpec::pca_rows, "training objects the PCA is fitted on", between(2, 1 << 20))
          .field("image_magnitudes", &EvaluationSpec::image_magnitudes, "labels of the magnitudes floor for images")
          .field("spectrum_magnitudes", &EvaluationSpec::spectrum_magnitudes,
                 "labels of the magnitudes floor for spectra");
  return schema;
}

const Schema<Outline>& outline_schema() {
  static const auto schema =
      Schema<Outline>("An experiment file.")
          .section("experiment", &Outline::experiment, "the run", general_schema())
          .required("dataset", &Outline::dataset, "the dataset plugin and its parameters")
          .field("augmentation", &Outline::augmentation, "how augmented views are made, one table for each encoder")
          .required("encoders", &Outline::encoders, "one table for each modality")
          .field("stages", &Outline::stages, "training, in order")
          .section("evaluation", &Outline::evaluation, "what tasks measure", evaluation_schema())
          .field("tasks", &Outline::tasks, "measurements at the end");
  return schema;
}

std::string quoted(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::string& name : names) all.push_back(fmt::format("'{}'", name));
  return fmt::format("{}", fmt::join(all, ", "));
}

/// Reads one file's worth, collecting problems.
class Reader {
 public:
  Experiment read(const Table& file) {
    Outline outline = outline_schema().parse(file, {}, {}, problems_);
    General& general = outline.experiment;
    experiment_.name = general.name;
    experiment_.seed = general.seed;
    experiment_.device = general.device;
    if (general.precision == "auto") general.precision = has_bf16() ? "bf16" : "f32";
    experiment_.precision = general.precision;
    experiment_.threads = general.threads;
    experiment_.loader_threads = general.loader_threads;
    experiment_.validation = general.validation;
    experiment_.evaluation = outline.evaluation;
    if (file.find("dataset") != nullptr) {
      experiment_.dataset = read_plugin(outline.dataset, plugin::Kind::dataset, "dataset");
    }
    if (file.find("encoders") != nullptr) read_encoders(outline.encoders);
    read_augmentation(outline.augmentation);
    for (const Value& stage : array_of(outline.stages, "stages")) read_stage(stage);
    for (const Value& task : array_of(outline.tasks, "tasks")) {
      experiment_.tasks.push_back(read_plugin(task, plugin::Kind::task, "tasks"));
    }
    check_precision(file);
    problems_.throw_if_any();
    resolve(outline);
    return std::move(experiment_);
  }

  std::vector<EncoderSpec> read_architecture(const Table& file, const std::string& place) {
    const Value* encoders = file.find("encoders");
    if (encoders == nullptr) throw Error(fmt::format("{}: has no encoder: [encoders.image] or the like", place));
    read_encoders(*encoders);
    problems_.throw_if_any();
    return std::move(experiment_.encoders);
  }

 private:
  /// The tables of [[name]]; an absent key gives none.
  std::vector<Value> array_of(const Value& value, const std::string& name) {
    if (const auto* array = value.get_if<config::Array>()) return *array;
    const auto* table = value.get_if<Table>();
    const bool absent = table != nullptr && table->empty() && value.location().line == 0;
    if (!absent) {
      problems_.add(value.location(),
                    fmt::format("'{}' must be an array of tables ([[{}]]), found {}", name, name, value.kind()));
    }
    return {};
  }

  PluginSpec read_plugin(const Value& value, plugin::Kind kind, const std::string& where) {
    const auto* table = value.get_if<Table>();
    if (table == nullptr) {
      problems_.add(value.location(), fmt::format("[{}] must be a table with a plugin, found {}", where, value.kind()));
      return {};
    }
    const Value* name = table->find("plugin");
    const auto* text = name == nullptr ? nullptr : name->get_if<std::string>();
    if (text == nullptr) {
      problems_.add(name == nullptr ? value.location() : name->location(),
                    name == nullptr ? fmt::format("[{}] lacks the required key 'plugin'", where)
                                    : fmt::format("[{}] 'plugin' must be a string, found {}", where, name->kind()));
      return {};
    }
    try {
      const plugin::AnySchema schema = plugin::Host::instance().schema(kind, *text);
      PluginSpec spec{*text, schema.resolve(*table, {where}, value.location(), problems_)};
      spec.parameters.set("plugin", Value(*text, name->location()));
      return spec;
    } catch (const Error& error) {
      problems_.add(name->location(), fmt::format("[{}] {}", where, error.what()));
      return {};
    }
  }

  void read_encoders(const Value& value) {
    const auto* table = value.get_if<Table>();
    if (table == nullptr || table->empty()) {
      problems_.add(value.location(), "[encoders] must hold a table for each modality, like [encoders.image]");
      return;
    }
    for (const auto& entry : table->entries()) {
      EncoderSpec spec{entry.key, read_plugin(entry.value, plugin::Kind::encoder, "encoders." + entry.key)};
      experiment_.encoders.push_back(std::move(spec));
    }
  }

  std::vector<std::string> encoder_names() const {
    std::vector<std::string> names;
    for (const EncoderSpec& encoder : experiment_.encoders) names.push_back(encoder.name);
    return names;
  }

  void read_augmentation(const Value& value) {
    const auto* table = value.get_if<Table>();
    if (table == nullptr) {
      problems_.add(value.location(),
                    fmt::format("[augmentation] must hold a table for each encoder, found {}", value.kind()));
      return;
    }
    const std::vector<std::string> known = encoder_names();
    for (const auto& [modality, location, own] : table->entries()) {
      const auto* keys = own.get_if<Table>();
      if (keys == nullptr || std::ranges::find(known, modality) == known.end()) {
        problems_.add(location, keys == nullptr
                                    ? fmt::format("[augmentation] '{}' must be a table, found {}", modality, own.kind())
                                    : fmt::format("[augmentation] there is no encoder '{}' ({}){}", modality,
                                                  quoted(known), suggestion(modality, known)));
        continue;
      }
      experiment_.augmentation.emplace_back(
          modality, data::augmentation_schema().parse(*keys, {"augmentation." + modality}, own.location(), problems_));
    }
  }

  void read_stage(const Value& value) {
    const auto* table = value.get_if<Table>();
    if (table == nullptr) {
      problems_.add(value.location(), fmt::format("[stages] must hold tables, found {}", value.kind()));
      return;
    }
    const StageOutline outline = stage_schema().parse(*table, {"stages"}, value.location(), problems_);
    StageSpec stage = outline;
    if (stage.encoders.empty()) stage.encoders = encoder_names();
    const auto place = [&](const char* key) {
      const Value* found = table->find(key);
      return found == nullptr ? value.location() : found->location();
    };
    check_validation(stage.validation, place("validation"));
    check_stage_names(stage, place("name"), place("encoders"), place("freeze"));
    if (const Value* loss = table->find("loss")) {
      stage.loss = read_plugin(*loss, plugin::Kind::loss, "stages." + stage.name + ".loss");
    }
    if (const Value* init = table->find("init")) read_init(*init, stage);
    experiment_.stages.push_back(std::move(stage));
  }

  void check_validation(const ValidationSpec& validation, const Location& place) {
    if (validation.every > 0 && experiment_.validation == 0.0) {
      problems_.add(place, "[stages] 'validation' needs objects set apart: [experiment] validation = 0.1, for one");
    }
    if (validation.every == 0 && (validation.patience > 0 || validation.tasks > 0)) {
      problems_.add(place, "[stages.validation] without 'every' there are no validations for 'patience' or 'tasks'");
    }
  }

  void check_stage_names(const StageSpec& stage, const Location& name, const Location& encoders,
                         const Location& freeze) {
    const auto same = [&](const StageSpec& other) { return other.name == stage.name; };
    if (std::ranges::any_of(experiment_.stages, same)) {
      problems_.add(name, fmt::format("[stages] two stages are named '{}'", stage.name));
    }
    const std::vector<std::string> known = encoder_names();
    for (const std::string& encoder : stage.encoders) {
      if (std::ranges::find(known, encoder) == known.end()) {
        problems_.add(encoders, fmt::format("[stages] there is no encoder '{}' ({}){}", encoder, quoted(known),
                                            suggestion(encoder, known)));
      }
    }
    for (const std::string& part : stage.freeze) {
      const std::string encoder = part.substr(0, part.find('.'));
      if (std::ranges::find(stage.encoders, encoder) == stage.encoders.end()) {
        problems_.add(freeze, fmt::format("[stages] freeze: '{}' names no encoder of the stage ({}){}", part,
                                          quoted(stage.encoders), suggestion(encoder, stage.encoders)));
      }
    }
  }

  void read_init(const Value& value, StageSpec& stage) {
    const auto* table = value.get_if<Table>();
    if (table == nullptr) {
      problems_.add(value.location(), fmt::format("[stages] 'init' must be a table, found {}", value.kind()));
      return;
    }
    std::vector<std::string> earlier;
    for (const StageSpec& other : experiment_.stages) earlier.push_back(other.name);
    const std::vector<std::string> known = encoder_names();
    for (const auto& entry : table->entries()) {
      if (std::ranges::find(known, entry.key) == known.end()) {
        problems_.add(entry.location, fmt::format("[stages] init: there is no encoder '{}' ({}){}", entry.key,
                                                  quoted(known), suggestion(entry.key, known)));
        continue;
      }
      const auto* source = entry.value.get_if<std::string>();
      if (source == nullptr) {
        problems_.add(entry.value.location(),
                      fmt::format("[stages] init '{}' must be a string, found {}", entry.key, entry.value.kind()));
        continue;
      }
      const bool is_stage = std::ranges::find(earlier, *source) != earlier.end();
      if (!is_stage && !std::filesystem::is_regular_file(*source)) {
        problems_.add(entry.value.location(),
                      fmt::format("[stages] init: '{}' is neither an earlier stage nor a file{}", *source,
                                  suggestion(*source, earlier)));
      }
      stage.init.push_back({entry.key, *source, is_stage});
    }
  }

  bool has_bf16() const { return backend_of(experiment_.run_device()).supports(Precision::bf16); }

  void check_precision(const Table& file) {
    if (experiment_.precision != "bf16" || has_bf16()) return;
    const Value* section = file.find("experiment");
    const auto* table = section == nullptr ? nullptr : section->get_if<Table>();
    const Value* precision = table == nullptr ? nullptr : table->find("precision");
    problems_.add(precision == nullptr ? Location{} : precision->location(),
                  fmt::format("[experiment] 'precision' = \"bf16\" needs bfloat16 instructions, which the device '{}' "
                              "of this machine lacks",
                              experiment_.run_device().str()));
  }

  /// The file with every default, from what was read.
  void resolve(const Outline& outline) {
    Table resolved = outline_schema().dump(outline);
    resolved.set("dataset", Value(experiment_.dataset.parameters, {}));
    Table encoders;
    for (const EncoderSpec& encoder : experiment_.encoders) {
      encoders.set(encoder.name, Value(encoder.plugin.parameters, {}));
    }
    resolved.set("encoders", Value(encoders, {}));
    Table augmentation;
    for (const EncoderSpec& encoder : experiment_.encoders) {
      const data::Augmentation own = experiment_.augmentation_of(encoder.name);
      augmentation.set(encoder.name, Value(data::augmentation_schema().dump(own), {}));
    }
    resolved.set("augmentation", Value(augmentation, {}));
    config::Array stages, tasks;
    for (const StageSpec& stage : experiment_.stages) stages.emplace_back(resolved_stage(stage), Location{});
    for (const PluginSpec& task : experiment_.tasks) tasks.emplace_back(task.parameters, Location{});
    resolved.set("stages", Value(stages, {}));
    resolved.set("tasks", Value(tasks, {}));
    experiment_.resolved = std::move(resolved);
  }

  static Table resolved_stage(const StageSpec& stage) {
    Table init;
    for (const InitSpec& entry : stage.init) init.set(entry.encoder, Value(entry.source, {}));
    const StageOutline outline{stage, Value(stage.loss.parameters, {}), Value(init, {})};
    return stage_schema().dump(outline);
  }

  Problems problems_;
  Experiment experiment_;
};

}  // namespace

Device Experiment::run_device() const { return device_named(device); }

Precision Experiment::run_precision() const { return precision == "bf16" ? Precision::bf16 : Precision::f32; }

const EncoderSpec& Experiment::encoder(const std::string& wanted) const {
  const auto found = std::ranges::find(encoders, wanted, &EncoderSpec::name);
  if (found == encoders.end()) throw Error(fmt::format("[encoders] there is no '{}'", wanted));
  return *found;
}

data::Augmentation Experiment::augmentation_of(const std::string& encoder_name) const {
  const auto found = std::ranges::find(augmentation, encoder_name, &std::pair<std::string, data::Augmentation>::first);
  return found == augmentation.end() ? data::Augmentation() : found->second;
}

Experiment read_experiment(const Table& file) { return Reader().read(file); }

std::vector<EncoderSpec> read_architecture(const Table& file, const std::string& place) {
  return Reader().read_architecture(file, place);
}

std::vector<config::FieldDescription> describe_experiment() {
  std::vector<config::FieldDescription> sections = outline_schema().describe();
  const auto stages = std::ranges::find(sections, "stages", &config::FieldDescription::name);
  stages->fields = stage_schema().describe();
  const auto augmentation = std::ranges::find(sections, "augmentation", &config::FieldDescription::name);
  augmentation->fields = data::augmentation_schema().describe();
  return sections;
}

Experiment load_experiment(const std::string& path, const std::vector<std::string>& assignments) {
  return read_experiment(config::parse_file(path, assignments));
}

}  // namespace astroclip
