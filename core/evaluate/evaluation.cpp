#include "evaluate/evaluation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "config/toml.h"
#include "data/loader.h"
#include "evaluate/extractors.h"
#include "evaluate/report.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "model/model_file.h"
#include "ops/ops.h"

namespace astroclip::evaluate {

namespace {

bool wants_head(const Experiment& experiment) { return experiment.evaluation.embedding == Embedding::head; }

std::string trained_name(const Experiment& experiment) {
  return wants_head(experiment) ? "aligned" : "before alignment";
}

bool wants(const Experiment& experiment, Baseline baseline) {
  return std::ranges::find(experiment.evaluation.baselines, baseline) != experiment.evaluation.baselines.end();
}

std::vector<std::shared_ptr<Task>> make_tasks(const Experiment& experiment) {
  std::vector<std::shared_ptr<Task>> tasks;
  for (const plugin::Spec<Task>& spec : experiment.tasks) tasks.push_back(spec.make());
  return tasks;
}

const std::vector<std::string>& magnitudes_of(const Experiment& experiment, const std::string& modality) {
  return modality == "image" ? experiment.evaluation.image_magnitudes : experiment.evaluation.spectrum_magnitudes;
}

/// What tables call model files: by their names, and those of runs, which all runs name alike, by the run's folder;
/// where that does not tell two apart, as they are written in the experiment.
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

/// Every label that tasks or the magnitudes floor read, once.
std::vector<std::string> label_names(const Experiment& experiment) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<std::string>& more) {
    for (const std::string& name : more) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  };
  for (const auto& task : make_tasks(experiment)) add(task->labels());
  if (wants(experiment, Baseline::magnitudes)) {
    for (const EncoderSpec& encoder : experiment.encoders) add(magnitudes_of(experiment, modality_of(encoder)));
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

/// Gathers representations of both splits and hands them to the tasks.
class Evaluator {
 public:
  Evaluator(const Experiment& experiment, const Model& model, const Dataset& dataset, record::Console& console,
            TokenCache* cache)
      : experiment_(experiment), model_(model), dataset_(dataset), console_(console), cache_(cache) {
    for (const Split split : {Split::train, Split::test}) choose_rows(split);
  }

  TaskInput gather() {
    make_extractors();
    TaskInput input;
    input.seed = experiment_.seed;
    for (const Extractor& extractor : extractors_) {
      input.representations.push_back(
          {extractor.name, extractor.tower, extractor.cross_modal, extractor.baseline, {}, {}, extractor.has_units});
    }
    const auto start = std::chrono::steady_clock::now();
    extract(Split::train, input);
    extract(Split::test, input);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    const size_t count = rows_[0].size() + rows_[1].size();
    console_.say(fmt::format("embedded {} objects in {} representations in {:.1f} s", count, extractors_.size(),
                             elapsed.count()));
    read_labels(Split::train, input.train_labels, input.train_ids);
    read_labels(Split::test, input.test_labels, input.test_ids);
    if (wants(experiment_, Baseline::magnitudes)) add_magnitudes(input);
    return input;
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
    for (const std::string& modality : modalities) {
      present_[index(split)][modality] = data::observed(dataset_, split, rows, modality);
    }
  }

  void make_extractors() {
    for (const std::string& name : model_.names()) {
      extractors_.push_back(encoder_extractor(trained_name(experiment_), name, model_.shared_encoder(name), device_,
                                              precision_, wants_head(experiment_), false));
    }
    const auto& models = experiment_.evaluation.models;
    const std::vector<std::string> names = table_names(models);
    for (size_t i = 0; i < models.size(); ++i) add_model(models[i], names[i]);
    if (wants(experiment_, Baseline::untrained)) {
      for (const std::string& name : model_.names()) {
        extractors_.push_back(
            encoder_extractor("untrained", name, untrained(name), device_, precision_, wants_head(experiment_), true));
      }
    }
    if (wants(experiment_, Baseline::pca)) add_pca();
  }

  /// The encoder as it was before training.
  std::shared_ptr<Encoder> untrained(const std::string& name) const {
    return make_encoder(experiment_.encoder(name), device_, experiment_.seed);
  }

  data::LoaderOptions loading(Split split) const { return reading_options(experiment_, split); }

  /// Towers of a model file for the experiment's modalities; one without a head gives its backbone's embedding.
  void add_model(const std::string& path, const std::string& name) {
    const Model model(shared_encoders(experiment_, read_model_description(path)), device_, std::nullopt);
    for (const std::string& tower : model.names()) {
      const bool has_head = model.load(tower, path);
      extractors_.push_back(encoder_extractor(name, tower, model.shared_encoder(tower), device_, precision_,
                                              has_head && wants_head(experiment_), true));
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
        const HostArray& values = objects.views.at(view.name);
        const auto floats = values.values<float>();
        const int64_t batch = values.shape[0];
        std::vector<int64_t> there;
        for (int64_t row = 0; row < batch; ++row) {
          if (present_[0].at(view.modality)[places[first + static_cast<size_t>(row)]]) there.push_back(row);
        }
        const Matrix all{batch, values.shape.numel() / batch, {floats.begin(), floats.end()}};
        append_rows(raw[i], select_rows(all, there));
      }
      first += objects.rows.size();
      return true;
    });
    for (size_t i = 0; i < plain.size(); ++i) {
      const Matrix matrix = std::exchange(raw[i], {});
      extractors_.push_back(pca_extractor(model_.names()[i], plain[i],
                                          search::Pca::fit(matrix.values, matrix.rows, matrix.columns,
                                                           experiment_.evaluation.pca_components, experiment_.seed)));
    }
  }

  /// What a frozen backbone gives of a split, where it is kept.
  std::shared_ptr<const FrozenTokens> kept_tokens(const Extractor& extractor, Split split) const {
    if (cache_ == nullptr || extractor.encoder == nullptr || !has_frozen_backbone(*extractor.encoder)) return nullptr;
    const ops::PrecisionScope scope(precision_);
    const TokenForm form = wants_head(experiment_) ? TokenForm::alignment : TokenForm::pretraining;
    return cache_->open(
        {extractor.tower, *extractor.encoder, split, extractor.view, form, experiment_.evaluation.batch});
  }

  void extract(Split split, TaskInput& input) {
    std::vector<data::ViewPlan> needed;
    std::vector<std::shared_ptr<const FrozenTokens>> kept;
    for (const Extractor& extractor : extractors_) {
      kept.push_back(kept_tokens(extractor, split));
      if (!kept.back()) needed.push_back(extractor.view);
    }
    size_t first = 0;
    for_each_batch(dataset_, rows_[index(split)], needed, loading(split), [&](const data::Batch& objects) {
      for (size_t i = 0; i < extractors_.size(); ++i) {
        const Extractor& extractor = extractors_[i];
        Matrix rows = kept[i] ? extractor.embed(kept[i]->read(objects.rows))
                              : extractor.extract(objects.views.at(extractor.view.request.name));
        blank_missing(rows, present_[index(split)].at(extractor.modality), first);
        Representation& target = input.representations[i];
        append_rows(split == Split::train ? target.train : target.test, rows);
      }
      first += objects.rows.size();
      return true;
    });
  }

  void read_labels(Split split, std::map<std::string, std::vector<double>>& labels, std::vector<int64_t>& ids) const {
    std::vector<std::string> names = label_names(experiment_);
    names.emplace_back("object_id");
    HostBatch columns;
    dataset_.read(split, rows_[index(split)], names, columns);
    const auto own = columns.at("object_id").values<int64_t>();
    ids.assign(own.begin(), own.end());
    for (const std::string& name : names) {
      if (name != "object_id") labels[name] = data::as_doubles(columns.at(name));
    }
  }

  void add_magnitudes(TaskInput& input) const {
    for (const std::string& tower : model_.names()) {
      const std::string modality = model_.encoder(tower).modality();
      Representation magnitudes{"magnitudes", tower, true, true, {}, {}, true};
      const auto fill = [&](Matrix& matrix, const std::map<std::string, std::vector<double>>& labels, size_t rows) {
        const auto& names = magnitudes_of(experiment_, modality);
        matrix = {static_cast<int64_t>(rows), static_cast<int64_t>(names.size()), {}};
        for (size_t row = 0; row < rows; ++row) {
          for (const std::string& name : names) matrix.values.push_back(static_cast<float>(labels.at(name)[row]));
        }
      };
      fill(magnitudes.train, input.train_labels, input.train_ids.size());
      fill(magnitudes.test, input.test_labels, input.test_ids.size());
      blank_missing(magnitudes.train, present_[0].at(modality), 0);
      blank_missing(magnitudes.test, present_[1].at(modality), 0);
      input.representations.push_back(std::move(magnitudes));
    }
  }

  const Experiment& experiment_;
  const Model& model_;
  const Dataset& dataset_;
  record::Console& console_;
  TokenCache* cache_;
  const Device device_ = experiment_.run_device();
  const Precision precision_ = experiment_.run_precision();
  std::vector<int64_t> rows_[2];
  std::map<std::string, std::vector<bool>> present_[2];  ///< by modality, along rows_
  std::vector<Extractor> extractors_;
};

/// Groups train/ and test/ with ENCODER_embeddings of each encoder and object_id, row by row; NaN where an object
/// lacks the modality.
void write_embeddings(const std::string& path, const TaskInput& input, const Experiment& experiment) {
  io::DurableFile durable(path);
  auto file = io::Hdf5File::create(durable.file());
  file.write_attribute("experiment", config::to_toml(experiment.resolved()));
  const auto write = [&](const std::string& group, const std::vector<int64_t>& ids, auto matrix_of) {
    const auto rows = static_cast<int64_t>(ids.size());
    file.make_dataset(group + "/object_id", DType::i64, {rows});
    if (rows > 0) file.write_rows(group + "/object_id", 0, rows, DType::i64, ids.data());
    for (const Representation& representation : input.representations) {
      if (representation.baseline) continue;
      const Matrix& matrix = matrix_of(representation);
      const std::string name = fmt::format("{}/{}_embeddings", group, representation.modality);
      file.make_dataset(name, DType::f32, {matrix.rows, matrix.columns});
      if (rows > 0) file.write_rows(name, 0, rows, DType::f32, matrix.values.data());
    }
  };
  write("train", input.train_ids, [](const Representation& r) -> const Matrix& { return r.train; });
  write("test", input.test_ids, [](const Representation& r) -> const Matrix& { return r.test; });
  file.close();
  durable.commit();
}

}  // namespace

void check_labels(const Experiment& experiment, const Dataset& dataset) {
  std::vector<std::string> there;
  for (const Field& field : dataset.fields()) {
    if (field.shape.rank() == 0) there.push_back(field.name);
  }
  for (const std::string& label : label_names(experiment)) {
    if (std::ranges::find(there, label) != there.end()) continue;
    throw Error(fmt::format("dataset '{}' has no label '{}', which the tasks or baselines read ({}){}",
                            experiment.dataset.plugin, label, fmt::join(there, ", "), suggestion(label, there)));
  }
}

void check_models(const Experiment& experiment, const Dataset& dataset) {
  for (const std::string& path : experiment.evaluation.models) {
    const ModelDescription description = read_model_description(path);
    const std::vector<EncoderSpec> shared = shared_encoders(experiment, description);
    if (shared.empty()) throw Error(fmt::format("{}: has no encoder for a modality of the experiment", path));
    for (const EncoderSpec& encoder : shared) check_views(description, dataset, modality_of(encoder), path);
  }
}

void evaluate(const Experiment& experiment, const Model& model, const Dataset& dataset, const record::RunFolder& folder,
              record::Console& console, TokenCache* cache) {
  const TaskInput input = Evaluator(experiment, model, dataset, console, cache).gather();
  write_embeddings(folder.embeddings(), input, experiment);
  std::vector<Report> reports;
  for (const auto& task : make_tasks(experiment)) {
    for (Report& report : task->run(input)) reports.push_back(std::move(report));
  }
  const std::string text = report_text(reports);
  io::write_text(folder.report_text(), text);
  io::write_text(folder.report_json(), report_json(reports));
  console.say(text);
}

}  // namespace astroclip::evaluate
