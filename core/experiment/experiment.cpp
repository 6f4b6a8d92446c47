#include "experiment/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "backend/devices.h"
#include "base/error.h"
#include "base/text.h"
#include "config/schema.h"
#include "config/toml.h"
#include "data/image_bands.h"
#include "experiment/experiment_file.h"
#include "experiment/stage_schema.h"

namespace astroclip {

namespace {

using config::between;
using config::Location;
using config::Problems;
using config::Schema;
using config::Table;
using config::Value;

const config::Choices<std::optional<Precision>>& precisions() {
  static const config::Choices<std::optional<Precision>> choices = {
      {"auto", std::nullopt}, {"f32", Precision::f32}, {"bf16", Precision::bf16}};
  return choices;
}

const Schema<Experiment>& general_schema() {
  static const auto schema =
      Schema<Experiment>("The run as a whole.")
          .field("name", &Experiment::name, "names the run's folder", config::file_name())
          .no_effect_on_results()
          .field("seed", &Experiment::seed, "seed of all random streams", {"at least 0", {}})
          .field("device", &Experiment::device, "where to compute; auto: the first card if there is one, else cpu",
                 {device_name_forms, is_device_name})
          .choice("precision", &Experiment::precision,
                  "operands of products; auto: bf16 on a card and where its products are measured to be at least 1.2 "
                  "times as fast, else f32",
                  precisions())
          .field("threads", &Experiment::threads, "compute threads; 0: OMP_NUM_THREADS, or one for each core",
                 between(0, 4096))
          .field("loader_threads", &Experiment::loader_threads, "threads that read ahead", between(1, 256))
          .no_effect_on_results()
          .field("validation", &Experiment::validation,
                 "share of the training objects that are set apart: no stage trains on them", between(0.0, 0.9));
  return schema;
}

const Schema<LabelFloor>& label_floor_schema() {
  static const auto schema = Schema<LabelFloor>("Labels as a representation.")
                                 .required("name", &LabelFloor::name, "as 'floors' and tables name it")
                                 .required("modality", &LabelFloor::modality, "whose objects the labels describe")
                                 .required("labels", &LabelFloor::labels, "columns of the representation");
  return schema;
}

/// Every floor must be known.
std::string unknown_floor(const EvaluationSpec& evaluation) {
  std::vector<std::string> known = {"untrained", "pca"};
  for (const LabelFloor& floor : evaluation.label_floors) known.push_back(floor.name);
  for (const std::string& name : evaluation.floors) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return fmt::format("'floors' names '{}', which is neither \"untrained\" nor \"pca\" nor one of 'label_floors'{}",
                       name, suggestion(name, known));
  }
  return "";
}

const Schema<EvaluationSpec>& evaluation_schema() {
  static const auto schema =
      Schema<EvaluationSpec>("What the tasks measure.")
          .choice("objects", &EvaluationSpec::objects,
                  "which to embed: those with every modality, or all, whatever they lack",
                  {{"paired", Objects::paired}, {"all", Objects::all}})
          .choice("embedding", &EvaluationSpec::embedding,
                  "the encoders' embedding: their heads', or the backbone's class or mean token",
                  {{"head", Embedding::head}, {"pool", Embedding::pool}})
          .choice("train_test_overlap", &EvaluationSpec::train_test_overlap,
                  "test objects that are training objects, too (the same object_id, or within 1 arcsec): exclude them, "
                  "keep "
                  "them, or refuse to run",
                  {{"exclude", TrainTestOverlap::exclude},
                   {"keep", TrainTestOverlap::keep},
                   {"refuse", TrainTestOverlap::refuse}})
          .field("batch", &EvaluationSpec::batch, "objects embedded at once", between(1, 65536))
          .field(
              "floors", &EvaluationSpec::floors,
              "untrained references measured beside the embedding: \"untrained\" encoders, \"pca\" of the views, and "
              "those of 'label_floors' by name")
          .field("floors_first", &EvaluationSpec::floors_first,
                 "measure the floors before training, too: their table comes early, and mistakes of tasks show")
          .no_effect_on_results()
          .tables("label_floors", &EvaluationSpec::label_floors,
                  "labels measured as a floor; the default ones where the dataset has their labels",
                  label_floor_schema())
          .field("models", &EvaluationSpec::models,
                 "model files measured beside the embedding as baselines, named after the files or their runs")
          .field("joint", &EvaluationSpec::joint,
                 "encoders whose embeddings are also measured as one, side by side: \"image + photometry\"")
          .field("pca_components", &EvaluationSpec::pca_components, "components of the PCA floor", between(1, 4096))
          .field("pca_rows", &EvaluationSpec::pca_rows, "training objects the PCA is fitted on", between(2, 1 << 20))
          .field(
              "max_not_finite", &EvaluationSpec::max_not_finite,
              "largest share of objects whose representation is not finite although they have the modality; they are "
              "left out of all lines and reported, and more are an error",
              between(0.0, 1.0))
          .field("resamples", &EvaluationSpec::resamples,
                 "bootstrap resamples of the test objects, for errors of the metrics; 0: no such errors",
                 between(0, 100000))
          .field("probe_seeds", &EvaluationSpec::probe_seeds,
                 "fits of each probe with random initial weights; metrics are their means", between(1, 1000))
          .field("keep_probes", &EvaluationSpec::keep_probes,
                 "write the probes that tasks fit on trained encoders to the run's folder probes; `astroclip embed "
                 "--probe` applies them")
          .no_effect_on_results()
          .field("token_mb", &EvaluationSpec::token_mb,
                 "disk space for the backbones' tokens that attentive probes read, in MiB, while the tasks run",
                 between(0, 1 << 30))
          .no_effect_on_results()
          .renamed("baselines", "floors")
          .renamed("image_magnitudes", "label_floors")
          .renamed("spectrum_magnitudes", "label_floors")
          .check(unknown_floor);
  return schema;
}

void add_encoders(Schema<Experiment>& schema) {
  schema.named_plugins("encoders", &Experiment::encoders, &EncoderSpec::name, &EncoderSpec::plugin,
                       "the encoders by name, like [encoders.image]");
}

const Schema<Experiment>& encoders_schema() {
  static const auto schema = [] {
    Schema<Experiment> encoders("The encoders of a model.");
    add_encoders(encoders);
    return encoders;
  }();
  return schema;
}

const Schema<Experiment>& experiment_schema() {
  static const auto schema = [] {
    Schema<Experiment> file("An experiment file.");
    file.section("experiment", "the run", general_schema())
        .plugin("dataset", &Experiment::dataset, "the dataset and its parameters");
    add_encoders(file);
    file.tables("stages", &Experiment::stages, "training, in order", stage_schema())
        .section("evaluation", &Experiment::evaluation, "what tasks measure", evaluation_schema())
        .plugins("tasks", &Experiment::tasks, "measurements at the end")
        .renamed("augmentation", "dataset.views");
    return file;
  }();
  return schema;
}

std::string quoted(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::string& name : names) all.push_back(fmt::format("'{}'", name));
  return fmt::format("{}", fmt::join(all, ", "));
}

/// Settles what depends on other keys, and checks that names refer to something.
class References {
 public:
  References(Experiment& experiment, const Table& file, Problems& problems)
      : experiment_(experiment), file_(file), problems_(problems) {
    for (const EncoderSpec& encoder : experiment.encoders) encoders_.push_back(encoder.name);
  }

  void resolve() {
    if (!experiment_.precision) {
      // A file for another machine can be read without its card.
      const bool is_here = device_problem(experiment_.device).empty();
      const PrecisionChoice& choice = is_here ? fastest_precision(experiment_.run_device()) : precision_of_cards();
      experiment_.precision = choice.precision;
      experiment_.precision_reason = choice.reason;
    }
    check_precision();
    resolve_views();
    resolve_channels();
    std::vector<std::string> earlier;
    const std::vector<const Value*> places = stage_places();
    for (size_t i = 0; i < experiment_.stages.size(); ++i) {
      resolve_stage(experiment_.stages[i], *places[i], earlier);
      earlier.push_back(experiment_.stages[i].name);
    }
  }

 private:
  /// "" of an encoder that cannot be made: the checks before a run say why.
  std::string modality_of(const std::string& encoder_name) const {
    const auto found = std::ranges::find(experiment_.encoders, encoder_name, &EncoderSpec::name);
    if (found == experiment_.encoders.end() || !found->plugin.make) return "";
    try {
      return found->plugin.make()->modality();
    } catch (const Error&) {
      return "";
    }
  }

  /// The groups of the file, and one for each encoder.
  void resolve_views() {
    std::vector<data::ViewGroup>& groups = experiment_.dataset.views;
    if (const auto* table = experiment_.dataset.written_views.get_if<Table>()) {
      for (const auto& entry : table->entries())
        groups.push_back(
            data::read_view_group(entry.key, entry.value, modality_of(entry.key), {"dataset.views"}, problems_));
    }
    for (const std::string& name : encoders_) {
      if (std::ranges::find(groups, name, &data::ViewGroup::name) != groups.end()) continue;
      auto group = data::known_view_group(modality_of(name)).value_or(data::ViewGroup());
      group.name = name;
      groups.push_back(std::move(group));
    }
  }

  /// Encoders of images take as many planes as the dataset's section names bands, where they do not say it themselves.
  void resolve_channels() {
    if (!experiment_.dataset.bands) return;
    const Value* sections = file_.find("encoders");
    for (EncoderSpec& encoder : experiment_.encoders) {
      const Value* written = sections->get_if<Table>()->find(encoder.name);
      const Value* channels = encoder.plugin.parameters.find("channels");
      const auto* count = channels == nullptr ? nullptr : channels->get_if<int64_t>();
      if (count == nullptr || *count == *experiment_.dataset.bands) continue;
      if (!data::takes_bands(modality_of(encoder.name))) continue;
      if (written->get_if<Table>()->find("channels") != nullptr) continue;
      Table parameters = encoder.plugin.parameters;
      parameters.set("channels", {*experiment_.dataset.bands, channels->location()});
      encoder.plugin =
          plugin::Spec<Encoder>::read({parameters, written->location()}, {"encoders." + encoder.name}, problems_);
    }
  }

  /// Where the stages that were read stand.
  std::vector<const Value*> stage_places() const {
    std::vector<const Value*> places;
    const Value* stages = file_.find("stages");
    const auto* array = stages == nullptr ? nullptr : stages->get_if<config::Array>();
    if (array == nullptr) return places;
    for (const Value& stage : *array) {
      if (stage.get_if<Table>() != nullptr) places.push_back(&stage);
    }
    return places;
  }

  void resolve_stage(StageSpec& stage, const Value& value, const std::vector<std::string>& earlier) {
    const auto place = [&](const char* key) {
      const Value* found = value.get_if<Table>()->find(key);
      return found == nullptr ? value.location() : found->location();
    };
    const auto add = [&](const Location& where, const std::string& message) {
      problems_.add(where, fmt::format("[{}] {}", stage.name.empty() ? "stages" : "stages." + stage.name, message));
    };
    if (stage.encoders.empty()) stage.encoders = encoders_;
    if (std::ranges::find(earlier, stage.name) != earlier.end()) add(place("name"), "an earlier stage has this name");
    const ValidationSpec& validation = stage.validation;
    if (validation.every > 0 && experiment_.validation == 0.0) {
      add(place("validation"), "'validation' needs objects set apart: [experiment] validation = 0.1, for one");
    }
    if (stage.watch.every > 0 && experiment_.validation == 0.0) {
      add(place("watch"), "'watch' needs objects set apart: [experiment] validation = 0.1, for one");
    }
    if (validation.every == 0 && (validation.patience > 0 || validation.tasks > 0)) {
      add(place("validation"), "without 'validation.every' there are no validations for 'patience' or 'tasks'");
    }
    for (const std::string& encoder : stage.encoders) {
      if (std::ranges::find(encoders_, encoder) == encoders_.end()) {
        add(place("encoders"),
            fmt::format("there is no encoder '{}' ({}){}", encoder, quoted(encoders_), suggestion(encoder, encoders_)));
      }
    }
    for (const std::string& part : stage.freeze) {
      const std::string encoder = part.substr(0, part.find('.'));
      if (std::ranges::find(stage.encoders, encoder) == stage.encoders.end()) {
        add(place("freeze"), fmt::format("freeze: '{}' names no encoder of the stage ({}){}", part,
                                         quoted(stage.encoders), suggestion(encoder, stage.encoders)));
      }
    }
    const auto check_encoders = [&](const char* key, const std::vector<std::string>& named) {
      for (const std::string& encoder : named) {
        if (std::ranges::find(stage.encoders, encoder) != stage.encoders.end()) continue;
        add(place(key), fmt::format("{}: the stage has no encoder '{}' ({}){}", key, encoder, quoted(stage.encoders),
                                    suggestion(encoder, stage.encoders)));
      }
    };
    check_encoders("stochastic_depth", stage.stochastic_depth.encoders);
    check_encoders("recompute", stage.recompute);
    for (InitSpec& init : stage.init) {
      const auto& entry = *value.get_if<Table>()->find("init")->get_if<Table>()->entry(init.encoder);
      init.is_stage = std::ranges::find(earlier, init.source) != earlier.end();
      if (std::ranges::find(encoders_, init.encoder) == encoders_.end()) {
        add(entry.location, fmt::format("init: there is no encoder '{}' ({}){}", init.encoder, quoted(encoders_),
                                        suggestion(init.encoder, encoders_)));
      } else if (!init.is_stage && !std::filesystem::is_regular_file(init.source)) {
        add(entry.value.location(), fmt::format("init: '{}' is neither an earlier stage nor a file{}", init.source,
                                                suggestion(init.source, earlier)));
      }
    }
  }

  bool has_bf16() const { return backend_of(experiment_.run_device()).supports(Precision::bf16); }

  void check_precision() {
    if (experiment_.run_precision() != Precision::bf16) return;
    // A run of another machine can be read without its card.
    if (!device_problem(experiment_.device).empty() || has_bf16()) return;
    const Value* section = file_.find("experiment");
    const auto* table = section == nullptr ? nullptr : section->get_if<Table>();
    const Value* precision = table == nullptr ? nullptr : table->find("precision");
    problems_.add(precision == nullptr ? Location{} : precision->location(),
                  fmt::format("[experiment] 'precision' = \"bf16\" needs bfloat16 instructions, which the device '{}' "
                              "of this machine lacks",
                              experiment_.run_device().str()));
  }

  Experiment& experiment_;
  const Table& file_;
  Problems& problems_;
  std::vector<std::string> encoders_;
};

}  // namespace

Device Experiment::run_device() const { return device_named(device); }

const EncoderSpec& Experiment::encoder(const std::string& wanted) const {
  const auto found = std::ranges::find(encoders, wanted, &EncoderSpec::name);
  if (found == encoders.end()) throw Error(fmt::format("[encoders] there is no '{}'", wanted));
  return *found;
}

Table Experiment::resolved() const {
  Table file = experiment_schema().dump(*this);
  Table views;
  for (const data::ViewGroup& group : dataset.views) views.set(group.name, {data::dump_view_group(group), {}});
  file.find("dataset")->get_if<Table>()->set("views", {views, {}});
  return file;
}

Experiment read_experiment(const Table& file) {
  Problems problems;
  Experiment experiment = experiment_schema().parse(file, {}, {}, problems);
  References(experiment, file, problems).resolve();
  problems.throw_if_any();
  return experiment;
}

std::vector<EncoderSpec> read_architecture(const Table& file, const std::string& place, bool takes_old_keys) {
  const Value* encoders = file.find("encoders");
  if (encoders == nullptr) throw Error(fmt::format("{}: has no encoder: [encoders.image] or the like", place));
  Table architecture;
  architecture.set("encoders", *encoders);
  Problems problems;
  Experiment read = encoders_schema().parse(architecture, {.takes_old_keys = takes_old_keys}, {}, problems);
  problems.throw_if_any();
  return std::move(read.encoders);
}

std::vector<config::FieldDescription> describe_experiment() {
  std::vector<config::FieldDescription> keys = experiment_schema().describe();
  std::ranges::find(keys, "dataset", &config::FieldDescription::name)->fields = DatasetSpec::common_keys();
  return keys;
}

Table affecting_results(const Table& resolved) { return config::affecting_results(resolved, describe_experiment()); }

Experiment load_experiment(const std::string& path, const std::vector<std::string>& assignments) {
  return read_experiment(parse_experiment(path, assignments));
}

Experiment load_resolved(const std::string& path) {
  const Table file = config::parse_file(path);
  try {
    return read_experiment(file);
  } catch (const config::ProblemList& list) {
    const std::string problems = list.what();
    throw Error(fmt::format("{} (the run was made by another version of astroclip, or with other plugins)",
                            problems.substr(0, problems.find('\n'))));
  }
}

}  // namespace astroclip
