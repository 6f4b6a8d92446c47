#include <fmt/format.h>

#include <memory>
#include <thread>

#include "bench/inputs.h"
#include "bench/noise_file.h"
#include "bench/row.h"
#include "config/toml.h"
#include "data/survey_dataset.h"
#include "experiment/precision.h"
#include "model/model.h"
#include "train/trainer.h"

namespace astroclip::bench {

namespace {

std::string pretraining_of(const Settings& settings, int64_t batch) {
  return fmt::format(
      R"(
[experiment]
device = "{device}"
precision = "{precision}"
loader_threads = {threads}
[dataset]
plugin = "survey_images"
files = ["images.h5"]
[dataset.views.local]
size = {local}
[encoders.image]
plugin = "vit"
{encoder}
[[stages]]
name = "pretraining"
steps = 1000000000
batch = {batch}
loss = {{ plugin = "dinov2"{heads} }}
optimizer = {{ max_grad_norm = 3.0 }}
)",
      fmt::arg("device", settings.device.str()), fmt::arg("precision", name_of(settings.precision)),
      fmt::arg("threads", std::thread::hardware_concurrency()), fmt::arg("batch", batch),
      fmt::arg("local", settings.small ? 24 : 60),
      fmt::arg("encoder", settings.small ? "image = 48\ndim = 64\ndepth = 2\nheads = 2\nchunks = 1" : ""),
      fmt::arg("heads", settings.small ? ", prototypes = 512, hidden = 64, bottleneck = 32" : ""));
}

/// A stage as a run trains it: the loader augments images of a file, views are uploaded while steps compute, and terms
/// of the loss are read.
struct RunningStage {
  Experiment experiment;
  NoiseFile file{false};
  data::SurveyDataset dataset{data::SurveyDataset::Options{.files = {file.path()}, .train_fraction = 1.0}};
  Model model;
  std::unique_ptr<train::Trainer> trainer;

  explicit RunningStage(Experiment its)
      : experiment(std::move(its)), model(experiment.encoders, experiment.run_device(), std::nullopt) {
    set_weights(model.state());
    trainer = std::make_unique<train::Trainer>(Stage{experiment, 0}, model, dataset);
  }
  void step() const {
    if (trainer->reads_late()) {
      trainer->advance();
    } else {
      trainer->step();
    }
  }
};

Work pretraining(const Settings& settings) {
  int64_t batch = settings.precision == Precision::f32 ? 16 : 64;
  if (settings.small) batch = 2;
  if (settings.batch > 0) batch = settings.batch;
  const auto stage =
      std::make_shared<RunningStage>(read_experiment(config::parse_text(pretraining_of(settings, batch), "bench")));
  return {.run = [stage] { stage->step(); },
          .objects = static_cast<double>(batch),
          .note = fmt::format("2 + 8 crops, batch {}, {} loader threads", batch, stage->experiment.loader_threads)};
}

}  // namespace

std::vector<Row> engine_rows() { return {{"run of dinov2, vit-l/12, from a file", pretraining}}; }

}  // namespace astroclip::bench
