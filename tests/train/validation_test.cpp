// Validation measures without leaving a trace.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/error.h"
#include "plugin/host.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

using testing_support::Small;
using testing_support::small_experiment;

struct Training {
  explicit Training(const Small& small)
      : experiment(small_experiment(small)),
        dataset(experiment.dataset.make()),
        model(testing_support::model_of(experiment)),
        trainer({experiment, 0}, model, *dataset) {}
  std::vector<std::vector<double>> weights() const {
    std::vector<std::vector<double>> all;
    for (const NamedTensor& entry : model.state()) all.push_back(entry.tensor.to_doubles());
    return all;
  }

  Experiment experiment;
  std::shared_ptr<Dataset> dataset;
  Model model;
  Trainer trainer;
};

Small validating(const std::string& stage = "") {
  return {.loss = R"({ plugin = "clip", learn_logit_scale = true })", .stage = "validation = { every = 2 }\n" + stage};
}

TEST(Validation, LeavesNoTraceInTraining) {
  Training watched(validating()), alone(validating());
  while (!watched.trainer.finished()) {
    const auto before = watched.weights();
    const record::Metrics first = watched.trainer.validate().metrics;
    EXPECT_EQ(watched.trainer.validate().metrics, first);  // the same batches, views and masks each time
    EXPECT_EQ(watched.weights(), before);
    watched.trainer.step();
    alone.trainer.step();
  }
  EXPECT_EQ(watched.weights(), alone.weights());
}

TEST(Validation, IsWithoutDropout) {
  Small without = validating();
  without.dropout = 0.0;
  Training dropping(validating()), whole(without);
  EXPECT_EQ(dropping.trainer.validate().metrics, whole.trainer.validate().metrics);  // of the same initial weights
}

TEST(Validation, IsOfObjectsThatTrainingNeverSees) {
  // Of 48 training objects a fifth is set apart.
  const Training training(validating());
  EXPECT_LT(training.trainer.row_count(), 48);
  EXPECT_GT(training.trainer.row_count(), 24);
}

TEST(Validation, ReportsTheLossAndItsTerms) {
  Training training(validating());
  std::vector<std::string> names;
  for (const auto& [name, value] : training.trainer.validate().metrics) names.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre("validation.loss", "validation.clip", "validation.logit_scale"));
}

TEST(Validation, RunsTheTasksOnRequest) {
  Small small = validating();
  small.stage = "validation = { every = 2, tasks = 20 }\n";
  Training training(small), alone(validating());
  const record::Metrics first = training.trainer.validate().metrics;
  EXPECT_EQ(training.trainer.validate().metrics, first);
  std::map<std::string, double> by_name(first.begin(), first.end());
  ASSERT_TRUE(by_name.contains("validation.R² image knn") && by_name.contains("validation.σ_NMAD spectrum knn"));
  EXPECT_LT(by_name.at("validation.R² image knn"), 1.0);
  EXPECT_GT(by_name.at("validation.σ_NMAD spectrum knn"), 0.0);
  while (!training.trainer.finished()) {  // and leaves no trace
    (void)training.trainer.validate();
    training.trainer.step();
    alone.trainer.step();
  }
  EXPECT_EQ(training.weights(), alone.weights());
}

TEST(Validation, WeightsAreNotChosenAgainstTheTasksWord) {
  const auto validate = [](const std::string& metric, const std::string& mode) {
    Small small = validating();
    small.stage = fmt::format(
        "validation = {{ every = 2, tasks = 20, metric = \"validation.{} image knn\", mode = "
        "\"{}\" }}\n",
        metric, mode);
    (void)Training(small).trainer.validate();
  };
  EXPECT_THAT([&] { validate("R²", "min"); },
              testing::ThrowsMessage<Error>("[stages.validation] 'mode' must be \"max\" for the metric 'validation.R² "
                                            "image knn', or the worst weights are kept"));
  EXPECT_THROW(validate("bias", "min"), Error);
  EXPECT_THROW(validate("σ_NMAD", "max"), Error);
  validate("R²", "max");
  validate("bias", "zero");
  validate("σ_NMAD", "min");
}

/// Whatever the batch: the last objects, which fill none, are among them.
TEST(Validation, RootMeanSquaresAreOverAllObjects) {
  const auto rms = [](int64_t batch) {
    Small small = validating();
    small.loss =
        "{ plugin = \"supervised\", labels = [\"redshift\"], encoder = \"image\", augment = false, "
        "mean = [0.2], deviation = [0.1] }";
    small.encoders = R"(["image"])";
    small.batch = batch;
    Training training(small);
    const record::Metrics metrics = training.trainer.validate().metrics;
    return std::map<std::string, double>(metrics.begin(), metrics.end()).at("validation.rms_error.redshift");
  };
  const double whole = rms(8);  // five objects are set apart
  EXPECT_GT(whole, 0.0);
  EXPECT_NEAR(rms(4), whole, 1e-5 * whole);
  EXPECT_NEAR(rms(3), whole, 1e-5 * whole);
}

TEST(Validation, UsesTheAverageOfWeightsAndGivesThemBack) {
  Training training(validating("ema = 0.9\n"));
  for (int i = 0; i < 3; ++i) training.trainer.step();
  const auto weights = training.weights();
  {
    const auto scope = training.trainer.use();
    EXPECT_NE(training.weights(), weights);
  }
  EXPECT_EQ(training.weights(), weights);
  training.trainer.keep_weights_in_use();
  EXPECT_NE(training.weights(), weights);
}

TEST(Validation, NeedsObjects) {
  Small small = validating();
  small.validation = 1e-9;
  EXPECT_THAT([&] { Training training(small); },
              testing::ThrowsMessage<Error>("[stages.stage] no object is set apart to validate on; [experiment] "
                                            "'validation' = 1e-09 is too small a share"));
}

}  // namespace
}  // namespace astroclip::train
