// Looking for a collapse: what is measured, what tells of one, and that training does not feel it.
#include "train/collapse_watch.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "data/fields.h"
#include "evaluate/embedder.h"
#include "record/checkpoint.h"
#include "support/small_experiment.h"
#include "train/stage_rows.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

struct Watched {
  explicit Watched(const std::string& loss, const std::string& stage = "watch = { every = 2, label = \"redshift\" }\n",
                   const std::string& encoders = R"(["image"])")
      : Watched(testing_support::small_experiment({.loss = loss, .encoders = encoders, .stage = stage})) {}
  explicit Watched(Experiment watched)
      : experiment(std::move(watched)),
        dataset(experiment.dataset.make()),
        model(testing_support::model_of(experiment)),
        trainer({experiment, 0}, model, *dataset) {}

  std::vector<std::vector<double>> weights() const {
    std::vector<std::vector<double>> all;
    for (const NamedTensor& entry : trainer.state()) all.push_back(entry.tensor.to_doubles());
    return all;
  }

  Experiment experiment;
  std::shared_ptr<Dataset> dataset;
  Model model;
  Trainer trainer;
};

std::vector<std::string> names_of(const record::Metrics& metrics) {
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics) names.push_back(name);
  return names;
}

double value_of(const record::Metrics& metrics, const std::string& name) {
  return std::map<std::string, double>(metrics.begin(), metrics.end()).at(name);
}

constexpr const char* dinov2 =
    R"({ plugin = "dinov2", local_crops = 1, prototypes = 16, hidden = 16, bottleneck = 8 })";

TEST(CollapseWatch, MeasuresWhatEveryLossHasAndWhatThisOneCanTell) {
  Watched dino(dinov2);
  EXPECT_THAT(
      names_of(dino.trainer.look()),
      ElementsAre("watch.image.rank", "watch.image.deviation", "watch.image.knn_r2", "watch.teacher_entropy",
                  "watch.mean_teacher_entropy", "watch.prototypes_in_use", "watch.centre_norm", "watch.collapsed"));
  Watched clip(R"({ plugin = "clip" })", "watch = { every = 2 }\n", R"(["image", "spectrum"])");
  EXPECT_THAT(names_of(clip.trainer.look()),
              ElementsAre("watch.image.rank", "watch.image.deviation", "watch.spectrum.rank",
                          "watch.spectrum.deviation", "watch.collapsed"));
}

/// Every other object set apart, from those between. There are fewer than 16: all count, by inverse distance of columns
/// that are standardised on them.
TEST(CollapseWatch, NeighboursAreThoseOfTasks) {
  Watched run(dinov2);
  const StageSetup setup({run.experiment, 0}, run.model);
  const std::vector<int64_t> rows = stage_rows(setup, *run.dataset).validation;
  const std::vector<double> labels = data::read_label(*run.dataset, Split::train, rows, "redshift");
  const evaluate::Embedder embedder = evaluate::embedder_of("image", run.experiment, run.model, {});
  const Matrix found = evaluate::embed_rows(embedder, run.experiment, *run.dataset, Split::train, rows);
  const size_t count = labels.size();
  ASSERT_LT(count, 32U);
  std::vector<double> deviations(static_cast<size_t>(found.columns));
  for (size_t column = 0; column < deviations.size(); ++column) {
    double sum = 0.0, squares = 0.0, halves = 0.0;
    for (size_t i = 0; i < count; i += 2) {
      const double value = found.row(static_cast<int64_t>(i))[column];
      sum += value;
      squares += value * value;
      halves += 1.0;
    }
    deviations[column] = std::sqrt(squares / halves - sum * sum / halves / halves);
  }
  double mean = 0.0, errors = 0.0, spread = 0.0;
  for (size_t i = 1; i < count; i += 2) mean += labels[i] / static_cast<double>(count / 2);
  for (size_t i = 1; i < count; i += 2) {
    double sum = 0.0, weights = 0.0;
    for (size_t j = 0; j < count; j += 2) {
      double squares = 0.0;
      for (size_t column = 0; column < deviations.size(); ++column) {
        const double difference =
            found.row(static_cast<int64_t>(i))[column] - found.row(static_cast<int64_t>(j))[column];
        squares += std::pow(difference / deviations[column], 2);
      }
      sum += labels[j] / std::sqrt(squares);
      weights += 1.0 / std::sqrt(squares);
    }
    errors += std::pow(sum / weights - labels[i], 2);
    spread += std::pow(labels[i] - mean, 2);
  }
  EXPECT_NEAR(value_of(run.trainer.look(), "watch.image.knn_r2"), 1.0 - errors / spread, 1e-4);
}

TEST(CollapseWatch, TellsOfARepresentationThatIsTheSameForAll) {
  Watched run(dinov2);
  const record::Metrics first = run.trainer.look();
  EXPECT_GT(value_of(first, "watch.image.rank"), 1.0);
  EXPECT_GT(value_of(first, "watch.image.deviation"), 0.0);
  EXPECT_EQ(value_of(first, "watch.collapsed"), 0.0);
  EXPECT_EQ(run.trainer.watch()->collapsed_since(), -1);
  // The teacher is looked at: without the scale of its last norm all its features are the norm's bias.
  run.trainer.step();
  run.trainer.step();
  {
    const WeightsInUse::Scope scope = run.trainer.use();
    std::vector<NamedTensor> state = run.model.state();
    const auto norm = std::ranges::find(state, "image_encoder.backbone.norm.weight", &NamedTensor::name);
    const auto bias = std::ranges::find(state, "image_encoder.backbone.norm.bias", &NamedTensor::name);
    norm->tensor.copy_from(Tensor::zeros(norm->tensor.shape(), norm->tensor.dtype(), norm->tensor.device()));
    const std::vector<double> ones(static_cast<size_t>(bias->tensor.numel()), 1.0);
    bias->tensor.copy_from(Tensor::from_host(ones, bias->tensor.shape(), bias->tensor.dtype(), bias->tensor.device()));
  }
  const record::Metrics collapsed = run.trainer.look();
  EXPECT_NEAR(value_of(collapsed, "watch.image.rank"), 1.0, 1e-3);
  EXPECT_NEAR(value_of(collapsed, "watch.image.deviation"), 0.0, 1e-6);
  EXPECT_GE(value_of(collapsed, "watch.collapsed"), 2.0);
  EXPECT_EQ(run.trainer.watch()->collapsed_since(), 2);
  EXPECT_THAT(run.trainer.watch()->collapse(), HasSubstr("image.rank is 1 ("));
  EXPECT_THAT(run.trainer.watch()->note(), HasSubstr("The representation has collapsed, as found after 2 steps: "));
}

/// Makes the lengths of the teacher's prototypes `length`, where 1 is usual, and removes its centre.
void shorten_prototypes(const Watched& run, double length) {
  for (const NamedTensor& entry : run.trainer.state()) {
    const bool is_length = entry.name == "loss.teacher_head.last_layer.weight_g";
    if (!is_length && entry.name != "loss.dino_centre") continue;
    const std::vector<double> values(static_cast<size_t>(entry.tensor.numel()), is_length ? length : 0.0);
    Tensor tensor = entry.tensor;
    tensor.copy_from(Tensor::from_host(values, tensor.shape(), tensor.dtype(), tensor.device()));
  }
}

TEST(CollapseWatch, TellsOfATeacherThatSaysNothing) {
  Watched run(dinov2);
  const double first_distance = std::log(16.0) - value_of(run.trainer.look(), "watch.teacher_entropy");
  run.trainer.step();
  // An entropy that is nearer to that of a collapse than a tenth of what it was at first, but not near.
  shorten_prototypes(run, 0.1);
  const double distance = std::log(16.0) - value_of(run.trainer.look(), "watch.teacher_entropy");
  EXPECT_LT(distance, 0.1 * first_distance);
  EXPECT_GT(distance, 0.01);
  EXPECT_EQ(run.trainer.watch()->collapse(), "");
  shorten_prototypes(run, 0.0);
  EXPECT_NEAR(value_of(run.trainer.look(), "watch.teacher_entropy"), std::log(16.0), 1e-3);
  EXPECT_THAT(run.trainer.watch()->collapse(), HasSubstr("teacher_entropy is 2.77 ("));
}

TEST(CollapseWatch, JudgesATeacherAfterTheWarmUp) {
  Watched run(dinov2, "watch = { every = 2 }\noptimizer = { warmup = 1 }\n");
  for (const bool is_over : {false, true}) {
    run.trainer.look();
    run.trainer.step();
    shorten_prototypes(run, 0.0);
    run.trainer.look();
    EXPECT_EQ(run.trainer.watch()->collapse().empty(), !is_over);
  }
}

/// What keeps DINOv2 from a collapse.
struct Safeguards {
  double koleo_weight = 0.1, teacher_momentum = 0.9, teacher_momentum_end = 1.0, centre_momentum = 0.9;
  double teacher_temperature = 0.015;
};

/// A short training of a small encoder.
Experiment pretraining(const Safeguards& safeguards) {
  const std::string text = fmt::format(
      R"([experiment]
validation = 0.3
[dataset]
plugin = "simulated_survey"
galaxies = 120
cache = "{}"
[dataset.views]
global_1 = {{ like = "image" }}
global_2 = {{ like = "image" }}
local = {{ like = "image", size = 24, crop = {{ shift = -1 }} }}
[encoders.image]
plugin = "vit"
image = 36
dim = 16
depth = 1
heads = 2
chunks = 1
layer_scale = 0.3
head = {{ width = 16, heads = 2 }}
[[stages]]
name = "stage"
steps = 30
batch = 16
watch = {{ every = 10, objects = 32 }}
optimizer = {{ lr = 4e-3, weight_decay = 0.04, warmup = 10, max_grad_norm = 3.0 }}
[stages.loss]
plugin = "dinov2"
local_crops = 2
prototypes = 32
hidden = 32
bottleneck = 16
student_temperature = 0.05
koleo_weight = {}
teacher_momentum = {}
teacher_momentum_end = {}
centre_momentum = {}
teacher_temperature = {}
teacher_temperature_start = {}
[[tasks]]
plugin = "redshift"
[evaluation]
embedding = "pool"
)",
      testing_support::scratch("small"), safeguards.koleo_weight, safeguards.teacher_momentum,
      safeguards.teacher_momentum_end, safeguards.centre_momentum, safeguards.teacher_temperature,
      safeguards.teacher_temperature);
  return read_experiment(config::parse_text(text, "e.toml"));
}

struct Verdict {
  std::vector<int64_t> collapsed;  ///< steps of the looks that tell of a collapse
  std::string last;                ///< the last look
};

Verdict verdict_on(const Safeguards& safeguards) {
  Watched run(pretraining(safeguards));
  Verdict verdict;
  while (true) {
    if (run.trainer.look_due()) {
      run.trainer.look();
      verdict.last = run.trainer.watch()->brief();
      if (!run.trainer.watch()->collapse().empty()) verdict.collapsed.push_back(run.trainer.position().step);
    }
    if (run.trainer.finished()) return verdict;
    run.trainer.step();
  }
}

TEST(CollapseWatch, TellsSpoiltRunsFromOneAsItShouldBe) {
  const Verdict honest = verdict_on({});
  EXPECT_THAT(honest.collapsed, ElementsAre()) << honest.last;
  const Safeguards spoilt[] = {{.koleo_weight = 0.0, .teacher_momentum = 0.0, .teacher_momentum_end = 0.0},
                               {.koleo_weight = 0.0, .centre_momentum = 1.0},
                               {.teacher_temperature = 1.0}};
  for (const Safeguards& safeguards : spoilt) {
    const Verdict verdict = verdict_on(safeguards);
    EXPECT_THAT(verdict.collapsed, testing::IsSupersetOf({20, 30})) << verdict.last;
  }
}

TEST(CollapseWatch, LeavesNoTraceInTraining) {
  Watched watched(dinov2), alone(dinov2, "");
  while (!watched.trainer.finished()) {
    const record::Metrics first = watched.trainer.look();
    EXPECT_EQ(watched.trainer.look(), first);
    watched.trainer.step();
    alone.trainer.step();
  }
  EXPECT_EQ(watched.weights(), alone.weights());
}

TEST(CollapseWatch, IsDueAtItsInterval) {
  Watched run(dinov2);
  std::vector<int64_t> looks;
  while (true) {
    if (run.trainer.look_due()) {
      run.trainer.look();
      looks.push_back(run.trainer.position().step);
      EXPECT_FALSE(run.trainer.look_due());
    }
    if (run.trainer.finished()) break;
    run.trainer.step();
  }
  EXPECT_THAT(looks, ElementsAre(0, 2, 4, 6, 8, 9));
}

TEST(CollapseWatch, AResumedRunRemembersTheFirstLook) {
  Watched first(dinov2), second(dinov2);
  first.trainer.look();
  first.trainer.step();
  const std::string path = testing_support::scratch("watched.safetensors");
  record::write_checkpoint(path, first.trainer.position(), first.trainer.state());
  Trainer resumed({second.experiment, 0}, second.model, *second.dataset,
                  record::Checkpoint{path, record::read_position(path)});
  EXPECT_EQ(resumed.look(), first.trainer.look());
  EXPECT_EQ(resumed.watch()->note(), first.trainer.watch()->note());
}

TEST(CollapseWatch, ALabelThatIsNotThereIsRefused) {
  EXPECT_THAT([] { Watched run(dinov2, "watch = { every = 2, label = \"redshfit\" }\n"); },
              ThrowsMessage<Error>(HasSubstr("[stages.stage.watch] the dataset has no label 'redshfit'; its labels")));
}

}  // namespace
}  // namespace astroclip::train
