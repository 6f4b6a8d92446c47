#pragma once

#include <fmt/format.h>

#include <string>

#include "config/toml.h"
#include "experiment/experiment.h"
#include "model/model.h"
#include "support/scratch.h"

namespace astroclip::testing_support {

/// What a test wants of the small experiment.
struct Small {
  std::string loss = R"({ plugin = "clip" })";
  std::string encoders = R"(["image", "spectrum"])";
  std::string stage;  ///< further lines of the stage
  std::string device = "cpu";
  int64_t batch = 8;
  int64_t steps = 9;
  double dropout = 0.1;
  double validation = 0.2;
  int64_t dim = 16;
};

/// Two small towers on sixty simulated galaxies with everything that training can have: dropout, stochastic depth,
/// heads.
inline Experiment small_experiment(const Small& small) {
  const bool trains_images = small.encoders.find("image") != std::string::npos;
  const std::string depth =
      trains_images ? fmt::format("stochastic_depth = {{ rate = {}, encoders = [\"image\"] }}\n", 2.0 * small.dropout)
                    : "";
  const std::string text = fmt::format(
      R"([experiment]
device = "{device}"
validation = {validation}
[dataset]
plugin = "simulated_survey"
galaxies = 60
cache = "{cache}"
[dataset.views]
global_1 = {{ like = "image" }}
global_2 = {{ like = "image" }}
local = {{ like = "image", size = 12, crop = {{ shift = -1 }} }}
[encoders.image]
plugin = "vit"
image = 24
dim = {dim}
depth = 2
heads = 2
chunks = 2
dropout = {dropout}
head = {{ width = {dim}, heads = 2, dropout = {dropout} }}
[encoders.spectrum]
plugin = "specformer"
window = 200
stride = 200
dim = {dim}
depth = 2
heads = 2
head = {{ width = {dim}, heads = 2, dropout = {dropout} }}
[[stages]]
name = "stage"
encoders = {encoders}
loss = {loss}
batch = {batch}
steps = {steps}
{depth}{stage}
[[tasks]]
plugin = "redshift"
k = 4
probes = ["knn"]
)",
      fmt::arg("device", small.device), fmt::arg("validation", small.validation), fmt::arg("cache", scratch("small")),
      fmt::arg("dropout", small.dropout), fmt::arg("depth", depth), fmt::arg("encoders", small.encoders),
      fmt::arg("loss", small.loss), fmt::arg("batch", small.batch), fmt::arg("steps", small.steps),
      fmt::arg("dim", small.dim), fmt::arg("stage", small.stage));
  return read_experiment(config::parse_text(text, "e.toml"));
}

/// The encoders of an experiment as they are before training.
inline Model model_of(const Experiment& experiment) {
  return {experiment.encoders, experiment.run_device(), experiment.seed};
}

}  // namespace astroclip::testing_support
