#include "evaluate/sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/finite.h"
#include "config/toml.h"
#include "data/image_bands.h"
#include "data/loader.h"
#include "evaluate/label_floors.h"
#include "io/weights/weights_file.h"
#include "model/model_file.h"

namespace astroclip::evaluate {

namespace {

bool wants_head(const Experiment& experiment) { return experiment.evaluation.embedding == Embedding::head; }

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

/// Whether each encoder is measured by its head, else by its backbone.
using Heads = std::vector<std::pair<std::string, bool>>;

class SourceMaker {
 public:
  SourceMaker(const Experiment& experiment, const Model& model, const Origins& origins, const Dataset& dataset,
              const ChosenObjects& chosen, record::Console& console)
      : experiment_(experiment),
        model_(model),
        origins_(origins),
        dataset_(dataset),
        chosen_(chosen),
        console_(console) {}

  std::vector<Source> make(bool floors_alone) && {
    const Heads heads = measured_heads();
    if (!floors_alone) add_models(heads);
    add_floors(heads);
    return std::move(sources_);
  }

 private:
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
    const std::string hash = experiment_.evaluation.keep_probes ? io::model_hash(model_.state()) : "";
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
    if (wants_floor(experiment_, "untrained")) {
      for (const auto& [name, head] : heads) add({"untrained", name, head, Role::floor, {}, {}}, untrained(name), head);
    }
    if (wants_floor(experiment_, "pca")) add_pca();
  }

  /// The encoder as it was before training.
  std::shared_ptr<Encoder> untrained(const std::string& name) const {
    return make_encoder(experiment_.encoder(name), device_, experiment_.seed);
  }

  void add(Representation representation, std::shared_ptr<Encoder> encoder, bool head,
           std::shared_ptr<const Dataset> objects = nullptr, std::string model = "") {
    representation.embedding = head ? "head" : "pool";
    const Embedder embedder(representation.modality, std::move(encoder), device_, precision_, head);
    sources_.push_back(
        {std::move(representation), std::move(objects), embedder.view(), embedder, std::nullopt, std::move(model)});
  }

  /// Towers of a model file for the experiment's modalities; one without a trained head gives its backbone's embedding.
  void add_model(const std::string& path, const std::string& name) {
    const io::Metadata metadata = io::list_weights(path).metadata;
    const Origins origins = read_origins(metadata);
    const ModelDescription description = read_model_description(metadata, path);
    const std::shared_ptr<const Dataset> taken = as_taken_by(description, dataset_, path);
    const std::shared_ptr<const Dataset> own = taken.get() == &dataset_ ? nullptr : taken;
    const std::vector<EncoderSpec> encoders = shared_encoders(experiment_, description);
    const Model model(encoders, device_, std::nullopt);
    const std::string text = architecture_text(encoders) + config::to_toml(description.preprocessing);
    for (const std::string& tower : model.names()) {
      const bool head = model.load(tower, path).has_head && has_meaning(origins, tower) && wants_head(experiment_);
      add({name, tower, head, Role::baseline, {}, {}, false, description.hash}, model.shared_encoder(tower), head, own,
          text);
    }
  }

  void add_pca() {
    // Evenly spaced rows: files may be sorted, by brightness for one.
    const ChosenRows& chosen = chosen_.train;
    const auto limit = static_cast<size_t>(experiment_.evaluation.pca_rows);
    std::vector<size_t> places;
    std::vector<int64_t> sample;
    const size_t count = std::min(limit, chosen.rows.size());
    for (size_t i = 0; i < count; ++i) {
      places.push_back(i * chosen.rows.size() / count);
      sample.push_back(chosen.rows[places.back()]);
    }
    std::vector<data::ViewPlan> plain;
    for (const std::string& name : model_.names()) {
      plain.push_back(plain_view(model_.encoder(name).modality(), model_.encoder(name).input_shape()));
    }
    std::vector<Matrix> raw(plain.size());
    size_t first = 0;
    for_each_batch(
        dataset_, sample, plain, reading_options(experiment_, Split::train), [&](const data::Batch& objects) {
          for (size_t i = 0; i < plain.size(); ++i) {
            const ViewRequest& view = plain[i].request;
            const Matrix all = as_matrix(objects.views.at(view.name));
            std::vector<int64_t> there;
            for (int64_t row = 0; row < all.rows; ++row) {
              const bool is_present = chosen.present.at(view.modality)[places[first + static_cast<size_t>(row)]];
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
      Representation floor{
          fmt::format("pca-{}", pca.components()), model_.names()[i], false, Role::floor, {}, {}, true};
      sources_.push_back({std::move(floor), nullptr, plain[i], std::nullopt, std::move(pca), ""});
    }
  }

  const Experiment& experiment_;
  const Model& model_;
  const Origins& origins_;
  const Dataset& dataset_;
  const ChosenObjects& chosen_;
  record::Console& console_;
  const Device device_ = experiment_.run_device();
  const Precision precision_ = experiment_.run_precision();
  std::vector<Source> sources_;
};

}  // namespace

ComingMatrix Source::components(const HostArray& views) const { return ComingMatrix(pca->transform(as_matrix(views))); }

std::vector<Source> make_sources(const Experiment& experiment, const Model& model, const Origins& origins,
                                 const Dataset& dataset, const ChosenObjects& chosen, bool floors_alone,
                                 record::Console& console) {
  return SourceMaker(experiment, model, origins, dataset, chosen, console).make(floors_alone);
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

}  // namespace astroclip::evaluate
