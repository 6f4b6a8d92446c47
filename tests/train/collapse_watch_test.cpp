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
      : experiment(testing_support::small_experiment({.loss = loss, .encoders = encoders, .stage = stage})),
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

TEST(CollapseWatch, TellsOfATeacherThatSaysTheSameOfAllOrNothing) {
  Watched run(dinov2);
  run.trainer.look();
  run.trainer.step();
  // Without prototypes and centre every logit is 0.
  for (const NamedTensor& entry : run.trainer.state()) {
    if (entry.name != "loss.teacher_head.last_layer.weight_g" && entry.name != "loss.dino_centre") continue;
    Tensor tensor = entry.tensor;
    tensor.copy_from(Tensor::zeros(tensor.shape(), tensor.dtype(), tensor.device()));
  }
  const record::Metrics found = run.trainer.look();
  EXPECT_NEAR(value_of(found, "watch.teacher_entropy"), std::log(16.0), 1e-3);
  EXPECT_THAT(run.trainer.watch()->collapse(), HasSubstr("teacher_entropy is 2.77 ("));
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
