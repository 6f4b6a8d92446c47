#include "evaluate/evaluation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/finite.h"
#include "base/text.h"
#include "config/toml.h"
#include "data/image_bands.h"
#include "data/loader.h"
#include "evaluate/attention.h"
#include "evaluate/embedder.h"
#include "evaluate/galleries.h"
#include "evaluate/left_out.h"
#include "evaluate/object_files.h"
#include "evaluate/report.h"
#include "evaluate/run_task.h"
#include "io/output/durable_file.h"
#include "io/weights/weights_file.h"
#include "model/model_file.h"
#include "ops/ops.h"
#include "search/pca.h"

namespace astroclip::evaluate {

namespace {

bool wants_head(const Experiment& experiment) { return experiment.evaluation.embedding == Embedding::head; }

bool wants(const Experiment& experiment, const std::string& floor) {
  return std::ranges::find(experiment.evaluation.floors, floor) != experiment.evaluation.floors.end();
}

/// Calls `use(tower, floor)` with each floor of labels that is wanted, for every encoder of its modality. Nobody asked
/// for the default ones: they are measured where the dataset has their labels.
void for_each_label_floor(const Experiment& experiment, const Dataset& dataset,
                          const std::function<void(const std::string& tower, const LabelFloor& floor)>& use) {
  const bool is_default = experiment.evaluation.label_floors == EvaluationSpec().label_floors;
  const std::vector<Field> fields = dataset.fields();
  const auto is_there = [&](const std::string& label) {
    return std::ranges::find(fields, label, &Field::name) != fields.end();
  };
  for (const EncoderSpec& encoder : experiment.encoders) {
    for (const LabelFloor& floor : experiment.evaluation.label_floors) {
      if (is_default && !std::ranges::all_of(floor.labels, is_there)) continue;
      if (floor.modality == modality_of(encoder) && wants(experiment, floor.name)) use(encoder.name, floor);
    }
  }
}

/// Names of model files in tables: the file's, or the run's folder for the model.safetensors of a run; where two would
/// be equal, the path as the experiment has it.
std::vector<std::string> table_names(const std::vector<std::string>& paths) {
  std::vector<std::string> short_names, names;
  for (const std::string& path : paths) {
    const auto file = std::filesystem::absolute(path);
    short_names.push_back(
        (file.filename() == "model.safetensors" ? file.parent_path().filename() : file.stem()).string());
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    names.push_back(std::ranges::count(short_names, short_names[i]) > 1 ? paths[i] : short_names[i]);
  }
  return names;
}

/// The encoders that "image + photometry" names.
std::vector<std::string> joint_encoders(const std::string& joint) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= joint.size();) {
    const size_t end = std::min(joint.find('+', begin), joint.size());
    names.emplace_back(trimmed(std::string_view(joint).substr(begin, end - begin)));
    begin = end + 1;
  }
  return names;
}

/// The columns of all, side by side, of the objects that all have.
Vectors side_by_side(const std::vector<const Vectors*>& parts) {
  std::vector<int64_t> common = parts.front()->objects;
  for (const Vectors* part : parts) {
    std::vector<int64_t> both;
    std::ranges::set_intersection(common, part->objects, std::back_inserter(both));
    common = std::move(both);
  }
  Vectors joined{{std::ssize(common), 0, {}}, common};
  std::vector<Matrix> own;
  for (const Vectors* part : parts) own.push_back(of_some(*part, common).values);
  for (int64_t row = 0; row < joined.values.rows; ++row) {
    for (const Matrix& part : own) std::ranges::copy(part.row(row), std::back_inserter(joined.values.values));
  }
  for (const Matrix& part : own) joined.values.columns += part.columns;
  return joined;
}

/// Every label that tasks or floors must have, once.
std::vector<std::string> label_names(const Experiment& experiment, const Dataset& dataset) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<std::string>& more) {
    for (const std::string& name : more) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  };
  for (const plugin::Spec<Task>& spec : experiment.tasks) add(spec.make()->labels());
  for_each_label_floor(experiment, dataset, [&](const std::string&, const LabelFloor& floor) { add(floor.labels); });
  return names;
}

/// The same with the labels that tasks read where the dataset has them.
std::vector<std::string> readable_labels(const Experiment& experiment, const Dataset& dataset) {
  std::vector<std::string> names = label_names(experiment, dataset);
  const std::vector<Field> fields = dataset.fields();
  for (const plugin::Spec<Task>& spec : experiment.tasks) {
    for (const std::string& name : spec.make()->optional_labels()) {
      const bool known = std::ranges::find(names, name) != names.end();
      if (!known && std::ranges::find(fields, name, &Field::name) != fields.end()) names.push_back(name);
    }
  }
  return names;
}

/// The encoders of a model file for modalities that the experiment has.
std::vector<EncoderSpec> shared_encoders(const Experiment& experiment, const ModelDescription& description) {
  std::vector<EncoderSpec> shared;
  for (const EncoderSpec& encoder : description.encoders) {
    const std::string modality = modality_of(encoder);
    const auto same = [&](const EncoderSpec& own) { return modality_of(own) == modality; };
    if (std::ranges::any_of(experiment.encoders, same)) shared.push_back(encoder);
  }
  return shared;
}

Matrix as_matrix(const HostArray& views) {
  const auto values = views.values<float>();
  const int64_t rows = views.shape[0];
  return {rows, views.shape.numel() / rows, {values.begin(), values.end()}};
}

/// The dataset as a model file takes its images; the same where they agree.
std::shared_ptr<const Dataset> as_taken_by(const ModelDescription& description, const Dataset& dataset,
                                           const std::string& path) {
  const std::shared_ptr<const Dataset> unowned(std::shared_ptr<void>(), &dataset);
  return data::as_taken(unowned, description.preprocessing, path);
}

/// Computes the rows of a representation from views.
struct Source {
  std::shared_ptr<const Dataset> objects;  ///< none: the experiment's
  data::ViewPlan view;
  std::optional<Embedder> embedder;  ///< none: principal components
  std::optional<search::Pca> pca;

  ComingMatrix rows(const HostArray& views) const {
    return embedder ? embedder->embed(views) : ComingMatrix(pca->transform(as_matrix(views)));
  }
};

/// Gathers representations of both splits and hands them to the tasks.
class Evaluator {
 public:
  Evaluator(const Experiment& experiment, const Model& model, const Origins& origins, const Dataset& dataset,
            record::Console& console, TokenCache* cache, const InBoth& in_both)
      : experiment_(experiment),
        model_(model),
        origins_(origins),
        dataset_(dataset),
        console_(console),
        cache_(cache),
        in_both_(in_both) {
    for (const Split split : {Split::train, Split::test}) choose_rows(split);
  }

  /// The rows of the test objects in the dataset.
  const std::vector<int64_t>& test_rows() const { return rows_[index(Split::test)]; }

  /// Representations of everything, or of the floors alone. Vectors may hold what is not finite.
  TaskInput gather(bool floors_alone) && {
    input_.seed = experiment_.seed;
    input_.resamples = experiment_.evaluation.resamples;
    input_.probe_seeds = experiment_.evaluation.probe_seeds;
    input_.keep_probes = experiment_.evaluation.keep_probes && !floors_alone;
    const Heads heads = measured_heads();
    if (!floors_alone) add_models(heads);
    add_floors(heads);
    const auto start = std::chrono::steady_clock::now();
    extract(Split::train);
    extract(Split::test);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const size_t count = rows_[0].size() + rows_[1].size();
    console_.say(
        fmt::format("embedded {} objects in {} representations in {:.1f} s", count, sources_.size(), elapsed.count()));
    read_labels(Split::train, input_.train_labels, input_.train_ids);
    read_labels(Split::test, input_.test_labels, input_.test_ids);
    for_each_label_floor(experiment_, dataset_,
                         [&](const std::string& tower, const LabelFloor& floor) { add_labels(tower, floor); });
    for (const std::string& joint : experiment_.evaluation.joint) add_joint(joint);
    return std::move(input_);
  }

 private:
  static size_t index(Split split) { return split == Split::train ? 0 : 1; }

  /// Rows that every encoder of the experiment can embed, or all of them; and which of them have each modality.
  void choose_rows(Split split) {
    const bool all = experiment_.evaluation.objects == Objects::all;
    auto& rows = rows_[index(split)];
    std::vector<std::string> modalities;
    for (const std::string& name : model_.names()) modalities.push_back(model_.encoder(name).modality());
    rows = data::rows_with(dataset_, split, all ? std::vector<std::string>() : modalities);
    if (split == Split::test && experiment_.evaluation.train_test_overlap != TrainTestOverlap::keep) {
      std::erase_if(rows, [&](int64_t row) { return in_both_.test_rows[static_cast<size_t>(row)]; });
    }
    for (const std::string& modality : modalities) {
      present_[index(split)][modality] = data::observed(dataset_, split, rows, modality);
    }
  }

  /// Whether each encoder is measured by its head, else by its backbone.
  using Heads = std::vector<std::pair<std::string, bool>>;

  Heads measured_heads() const {
    Heads heads;
    for (const std::string& name : model_.names()) {
      heads.emplace_back(name, wants_head(experiment_) && has_meaning(origins_, name));
      if (heads.back().second == wants_head(experiment_)) continue;
      console_.say(fmt::format("encoder {}: no stage trained its head, so its backbone's embedding is measured", name));
    }
    return heads;
  }

  void add_models(const Heads& heads) {
    const std::string hash = input_.keep_probes ? io::model_hash(model_.state()) : "";
    for (const auto& [name, head] : heads) {
      const PartOrigins& origins = origins_.at(name);
      const bool shared = head && (origins.head == Origin::aligned || origins.head == Origin::file);
      add({embedding_name(origins, head), name, shared, Role::model, {}, {}, false, hash}, model_.shared_encoder(name),
          head);
    }
    const auto& models = experiment_.evaluation.models;
    const std::vector<std::string> names = table_names(models);
    for (size_t i = 0; i < models.size(); ++i) add_model(models[i], names[i]);
  }

  void add_floors(const Heads& heads) {
    if (wants(experiment_, "untrained")) {
      for (const auto& [name, head] : heads) add({"untrained", name, head, Role::floor, {}, {}}, untrained(name), head);
    }
    if (wants(experiment_, "pca")) add_pca();
  }

  /// The encoder as it was before training.
  std::shared_ptr<Encoder> untrained(const std::string& name) const {
    return make_encoder(experiment_.encoder(name), device_, experiment_.seed);
  }

  data::LoaderOptions loading(Split split) const { return reading_options(experiment_, split); }

  void add(Representation representation, std::shared_ptr<Encoder> encoder, bool head,
           std::shared_ptr<const Dataset> objects = nullptr) {
    representation.embedding = head ? "head" : "pool";
    const Embedder embedder(representation.modality, std::move(encoder), device_, precision_, head);
    input_.representations.push_back(std::move(representation));
    sources_.push_back({std::move(objects), embedder.view(), embedder, std::nullopt});
  }

  /// Towers of a model file for the experiment's modalities; one without a trained head gives its backbone's embedding.
  void add_model(const std::string& path, const std::string& name) {
    const io::Metadata metadata = io::list_weights(path).metadata;
    const Origins origins = read_origins(metadata);
    const ModelDescription description = read_model_description(metadata, path);
    const std::shared_ptr<const Dataset> taken = as_taken_by(description, dataset_, path);
    const std::shared_ptr<const Dataset> own = taken.get() == &dataset_ ? nullptr : taken;
    const Model model(shared_encoders(experiment_, description), device_, std::nullopt);
    for (const std::string& tower : model.names()) {
      const bool head = model.load(tower, path).has_head && has_meaning(origins, tower) && wants_head(experiment_);
      add({name, tower, head, Role::baseline, {}, {}, false, description.hash}, model.shared_encoder(tower), head, own);
    }
  }

  void add_pca() {
    // Evenly spaced rows: files may be sorted, by brightness for one.
    const auto& rows = rows_[0];
    const auto limit = static_cast<size_t>(experiment_.evaluation.pca_rows);
    std::vector<size_t> places;
    std::vector<int64_t> sample;
    const size_t count = std::min(limit, rows.size());
    for (size_t i = 0; i < count; ++i) {
      places.push_back(i * rows.size() / count);
      sample.push_back(rows[places.back()]);
    }
    std::vector<data::ViewPlan> plain;
    for (const std::string& name : model_.names()) {
      plain.push_back(plain_view(model_.encoder(name).modality(), model_.encoder(name).input_shape()));
    }
    std::vector<Matrix> raw(plain.size());
    size_t first = 0;
    for_each_batch(dataset_, sample, plain, loading(Split::train), [&](const data::Batch& objects) {
      for (size_t i = 0; i < plain.size(); ++i) {
        const ViewRequest& view = plain[i].request;
        const Matrix all = as_matrix(objects.views.at(view.name));
        std::vector<int64_t> there;
        for (int64_t row = 0; row < all.rows; ++row) {
          const bool is_present = present_[0].at(view.modality)[places[first + static_cast<size_t>(row)]];
          if (is_present && all_finite(all.row(row))) there.push_back(row);
        }
        raw[i].append(select_rows(all, there));
      }
      first += objects.rows.size();
      return true;
    });
    for (size_t i = 0; i < plain.size(); ++i) {
      search::Pca pca =
          search::Pca::fit(std::exchange(raw[i], {}), experiment_.evaluation.pca_components, experiment_.seed);
      input_.representations.push_back(
          {fmt::format("pca-{}", pca.components()), model_.names()[i], false, Role::floor, {}, {}, true});
      sources_.push_back({nullptr, plain[i], std::nullopt, std::move(pca)});
    }
  }

  /// The cached tokens of a frozen backbone for a split, if there are any.
  std::shared_ptr<const FrozenTokens> kept_tokens(const Source& source, Split split) const {
    if (cache_ == nullptr || source.objects || !source.embedder) return nullptr;
    if (!has_frozen_backbone(source.embedder->encoder())) return nullptr;
    const ops::PrecisionScope scope(precision_);
    const Embedder& embedder = *source.embedder;
    return cache_->open(
        {embedder.tower(), embedder.encoder(), split, source.view, embedder.form(), experiment_.evaluation.batch});
  }

  void extract(Split split) {
    std::vector<std::shared_ptr<const Dataset>> datasets;
    for (const Source& source : sources_) {
      if (std::ranges::find(datasets, source.objects) == datasets.end()) datasets.push_back(source.objects);
    }
    for (const auto& objects : datasets) extract_from(objects, split);
  }

  /// What is computed from a dataset; none: the experiment's.
  void extract_from(const std::shared_ptr<const Dataset>& dataset, Split split) {
    std::vector<size_t> here;  // places of its sources
    std::vector<data::ViewPlan> needed;
    std::vector<std::shared_ptr<const FrozenTokens>> kept;
    data::LoaderOptions options = loading(split);
    const auto name = [](size_t source) { return fmt::format("{}", source); };
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (sources_[i].objects != dataset) continue;
      here.push_back(i);
      kept.push_back(kept_tokens(sources_[i], split));
      if (!kept.back()) {
        needed.push_back(sources_[i].view);
        continue;
      }
      options.kept[name(i)] = [tokens = kept.back()](std::span<const int64_t> rows) { return tokens->read(rows); };
    }
    size_t first = 0;
    std::vector<ComingMatrix> before;  // of the last batch, by source
    const auto take = [&] {
      int64_t count = 0;
      for (size_t i = 0; i < before.size(); ++i) {
        Representation& target = input_.representations[here[i]];
        Matrix rows = std::move(before[i]).get();
        count = rows.rows;
        append_present(split == Split::train ? target.train : target.test, std::move(rows),
                       present_[index(split)].at(sources_[here[i]].view.request.modality), first);
      }
      first += static_cast<size_t>(count);
    };
    const Dataset& read = dataset ? *dataset : dataset_;
    for_each_batch(read, rows_[index(split)], needed, options, [&](const data::Batch& objects) {
      std::vector<ComingMatrix> next;
      for (size_t i = 0; i < here.size(); ++i) {
        const Source& source = sources_[here[i]];
        next.push_back(kept[i] ? source.embedder->embed(kept[i]->upload(objects.kept.at(name(here[i]))))
                               : source.rows(objects.views.at(source.view.request.name)));
      }
      take();
      before = std::move(next);
      return true;
    });
    take();
  }

  /// The rows of a batch, whose first is object `first`, of objects that have the modality.
  static void append_present(Vectors& target, Matrix rows, const std::vector<bool>& present, size_t first) {
    std::vector<int64_t> there;
    for (int64_t row = 0; row < rows.rows; ++row) {
      const size_t object = first + static_cast<size_t>(row);
      if (!present[object]) continue;
      there.push_back(row);
      target.objects.push_back(static_cast<int64_t>(object));
    }
    target.values.append(std::ssize(there) == rows.rows ? std::move(rows) : select_rows(rows, there));
  }

  void read_labels(Split split, std::map<std::string, std::vector<double>>& labels, std::vector<int64_t>& ids) {
    const std::vector<int64_t>& rows = rows_[index(split)];
    ObjectIds own = data::read_object_ids(dataset_, split, rows);
    input_.id_names.add(own);
    ids = std::move(own.keys);
    for (const auto& [name, column] :
         data::read_fields(dataset_, split, rows, readable_labels(experiment_, dataset_))) {
      labels[name] = data::as_doubles(column);
    }
  }

  void add_labels(const std::string& tower, const LabelFloor& floor) {
    Representation values{floor.name, tower, true, Role::floor, {}, {}, true};
    const auto fill = [&](Vectors& vectors, const std::map<std::string, std::vector<double>>& labels, Split split) {
      const std::vector<bool>& present = present_[index(split)].at(floor.modality);
      vectors.values.columns = static_cast<int64_t>(floor.labels.size());
      for (size_t object = 0; object < present.size(); ++object) {
        const auto is_known = [&](const std::string& name) { return std::isfinite(labels.at(name)[object]); };
        if (!present[object] || !std::ranges::all_of(floor.labels, is_known)) continue;
        vectors.objects.push_back(static_cast<int64_t>(object));
        ++vectors.values.rows;
        for (const std::string& name : floor.labels) {
          vectors.values.values.push_back(static_cast<float>(labels.at(name)[object]));
        }
      }
    };
    fill(values.train, input_.train_labels, Split::train);
    fill(values.test, input_.test_labels, Split::test);
    input_.representations.push_back(std::move(values));
  }

  /// Of each name that all of the encoders have a representation of: "aligned", "untrained".
  void add_joint(const std::string& joint) {
    const std::vector<std::string> towers = joint_encoders(joint);
    const size_t count = input_.representations.size();
    for (size_t i = 0; i < count; ++i) {
      const Representation& first = input_.representations[i];
      if (first.modality != towers.front()) continue;
      std::vector<const Vectors*> train, test;
      for (const std::string& tower : towers) {
        for (size_t k = 0; k < count; ++k) {
          const Representation& one = input_.representations[k];
          if (one.modality != tower || one.name != first.name || one.role != first.role) continue;
          train.push_back(&one.train);
          test.push_back(&one.test);
          break;
        }
      }
      if (train.size() < towers.size()) continue;
      Representation joined{first.name,         joint,          false, first.role, side_by_side(train),
                            side_by_side(test), first.has_units};
      input_.representations.push_back(std::move(joined));
    }
  }

  const Experiment& experiment_;
  const Model& model_;
  const Origins& origins_;
  const Dataset& dataset_;
  record::Console& console_;
  TokenCache* cache_;
  const InBoth& in_both_;  ///< rows of the test split that are training objects, too
  const Device device_ = experiment_.run_device();
  const Precision precision_ = experiment_.run_precision();
  std::vector<int64_t> rows_[2];
  std::map<std::string, std::vector<bool>> present_[2];  ///< by modality, along rows_
  TaskInput input_;
  std::vector<Source> sources_;  ///< of the first representations
};

/// The default floors may be of modalities that the experiment lacks.
void check_label_floors(const Experiment& experiment) {
  if (experiment.evaluation.label_floors == EvaluationSpec().label_floors) return;
  std::vector<std::string> modalities;
  for (const EncoderSpec& encoder : experiment.encoders) modalities.push_back(modality_of(encoder));
  for (const LabelFloor& floor : experiment.evaluation.label_floors) {
    if (std::ranges::find(modalities, floor.modality) != modalities.end()) continue;
    throw Error(
        fmt::format("[evaluation.label_floors] '{}' is of the modality '{}', which no encoder has; there are: {}",
                    floor.name, floor.modality, fmt::join(modalities, ", ")));
  }
}

void check_joint(const Experiment& experiment) {
  std::vector<std::string> encoders;
  for (const EncoderSpec& encoder : experiment.encoders) encoders.push_back(encoder.name);
  for (const std::string& joint : experiment.evaluation.joint) {
    const std::vector<std::string> names = joint_encoders(joint);
    for (const std::string& name : names) {
      if (std::ranges::find(encoders, name) != encoders.end()) continue;
      throw Error(fmt::format("[evaluation] 'joint' = \"{}\": there is no encoder '{}' ({}){}", joint, name,
                              fmt::join(encoders, ", "), suggestion(name, encoders)));
    }
    if (names.size() < 2) throw Error(fmt::format("[evaluation] 'joint' = \"{}\" names one encoder", joint));
  }
}

/// Says which tables have no line. Throws Error when none has.
void expect_rows(std::vector<Report>& reports, const std::string& task) {
  const auto is_empty = [](const Report& report) { return report.rows.empty(); };
  const bool measured_nothing = std::ranges::all_of(reports, is_empty);
  for (Report& report : reports) {
    if (!is_empty(report)) continue;
    if (measured_nothing) {
      throw Error(fmt::format("[tasks] '{}' measured nothing: the table \"{}\" has no line ({})", task, report.title,
                              report.note));
    }
    report.note = "No line: too few objects have what it measures. " + report.note;
  }
}

/// What all tasks give.
struct Results {
  std::vector<Report> reports;
  std::map<std::string, std::vector<Prediction>> predictions;  ///< by task
};

/// Leaves out of the input what is not finite.
Results run_tasks(const Experiment& experiment, TaskInput& input, record::Console& console) {
  const std::vector<std::string> left_out = leave_out(input, experiment.evaluation.max_not_finite);
  for (const std::string& sentence : left_out) console.say("left out of the tables: " + sentence);
  Results all;
  for (const plugin::Spec<Task>& spec : experiment.tasks) {
    TaskResult result = run_task(*spec.make(), input);
    expect_rows(result.reports, spec.plugin);
    std::ranges::move(result.reports, std::back_inserter(all.reports));
    if (result.predictions.empty()) continue;
    std::string name = spec.plugin;
    for (int number = 2; all.predictions.contains(name); ++number) name = fmt::format("{} {}", spec.plugin, number);
    all.predictions[name] = std::move(result.predictions);
  }
  for (Report& report : all.reports) {
    if (!left_out.empty()) report.note += fmt::format(" Left out of every line: {}.", fmt::join(left_out, "; "));
  }
  return all;
}

}  // namespace

void check_labels(const Experiment& experiment, const Dataset& dataset) {
  check_label_floors(experiment);
  check_joint(experiment);
  std::vector<std::string> there;
  for (const Field& field : dataset.fields()) {
    if (field.shape.rank() == 0) there.push_back(field.name);
  }
  for (const std::string& label : label_names(experiment, dataset)) {
    if (std::ranges::find(there, label) != there.end()) continue;
    throw Error(fmt::format("dataset '{}' has no label '{}', which the tasks or floors read; its labels are {}{}",
                            experiment.dataset.plugin, label, fmt::join(there, ", "), suggestion(label, there)));
  }
}

void check_models(const Experiment& experiment, const Dataset& dataset) {
  for (const std::string& path : experiment.evaluation.models) {
    const ModelDescription description = read_model_description(path);
    const std::vector<EncoderSpec> shared = shared_encoders(experiment, description);
    if (shared.empty()) throw Error(fmt::format("{}: has no encoder for a modality of the experiment", path));
    const std::shared_ptr<const Dataset> taken = as_taken_by(description, dataset, path);
    for (const EncoderSpec& encoder : shared) check_views(description, *taken, modality_of(encoder), path);
  }
}

std::vector<Report> evaluate(const Experiment& experiment, const Model& model, const Origins& origins,
                             const Dataset& dataset, const InBoth& in_both, const Provenance& provenance,
                             const std::vector<std::string>& looks, const record::RunFolder& folder,
                             record::Console& console, TokenCache* cache) {
  Evaluator evaluator(experiment, model, origins, dataset, console, cache, in_both);
  const std::vector<int64_t> test_rows = evaluator.test_rows();
  TaskInput input = std::move(evaluator).gather(false);
  write_embeddings(folder.embeddings(), input,
                   {{"experiment", config::to_toml(experiment.resolved())}, {"provenance", provenance.text()}});
  auto [reports, predictions] = run_tasks(experiment, input, console);
  const std::string overlap = describe_overlap(experiment, in_both);
  if (!overlap.empty()) reports.insert(reports.begin(), {"test objects in the training split", overlap, {}});
  if (!looks.empty()) {
    reports.insert(reports.begin(), {"looks for a collapse", fmt::format("{}", fmt::join(looks, "\n  ")), {}});
  }
  const std::vector<Gallery> galleries = galleries_of(input);
  write_objects(folder.objects(), input, dataset, test_rows, galleries,
                attention_of(experiment, model, origins, dataset, test_rows, first_queries(galleries)));
  if (!predictions.empty()) write_predictions(folder.predictions(), predictions, input.id_names);
  if (input.keep_probes) write_probes(folder.probes(), predictions);
  const std::string text = report_text(reports);
  io::write_text(folder.report_text(), text);
  console.say(text);
  reports.push_back({"provenance", provenance.text(), {}});
  return reports;
}

void show_floors(const Experiment& experiment, const Model& model, const Dataset& dataset, const InBoth& in_both,
                 record::Console& console) {
  TaskInput input = Evaluator(experiment, model, {}, dataset, console, nullptr, in_both).gather(true);
  console.say("floors, before training:\n" + report_text(run_tasks(experiment, input, console).reports));
}

}  // namespace astroclip::evaluate
