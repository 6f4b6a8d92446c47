// Training with a queue: MoCo's loss on small simulated images.
#include <gmock/gmock.h>

#include <map>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/experiment.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

using Tensors = std::map<std::string, std::vector<double>>;

struct Contrast {
  explicit Contrast(const std::string& loss, int64_t accumulate = 1)
      : experiment(read_experiment(config::parse_text(R"([dataset]
plugin = "simulated_survey"
galaxies = 40
cache = ")" + testing_support::scratch("small") + R"("
[encoders.image]
plugin = "resnet"
image = 32
dim = 4
blocks = [1, 1]
[[stages]]
name = "pretraining"
batch = 6
steps = 5
accumulate = )" + std::to_string(accumulate) + "\nloss = { plugin = \"moco\", width = 4, " +
                                                          loss +
                                                          " }\n[[tasks]]\nplugin = \"redshift\"\nk = 4\nprobes = "
                                                          "[\"knn\"]\n",
                                                      "e.toml"))),
        dataset(experiment.dataset.make()),
        model(testing_support::model_of(experiment)),
        trainer({experiment, 0}, model, *dataset) {}

  Tensors tensors() const {
    Tensors all;
    for (const NamedTensor& entry : trainer.state()) all[entry.name] = entry.tensor.to_doubles();
    return all;
  }

  Experiment experiment;
  std::shared_ptr<Dataset> dataset;
  Model model;
  Trainer trainer;
};

TEST(MomentumContrast, KeysTakeThePlacesOfTheOldest) {
  Contrast run("queue = 8");
  const std::vector<double> before = run.tensors().at("loss.queue");
  for (size_t row = 0; row < 8; ++row) {
    double squares = 0.0;
    for (size_t i = 0; i < 4; ++i) squares += before[4 * row + i] * before[4 * row + i];
    EXPECT_NEAR(squares, 1.0, 1e-6);
  }
  run.trainer.step();
  const std::vector<double> first = run.tensors().at("loss.queue");
  EXPECT_EQ(run.tensors().at("loss.oldest")[0], 6.0);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(first[i] == before[i], i >= 24) << i;
  run.trainer.step();
  const std::vector<double> second = run.tensors().at("loss.queue");
  EXPECT_EQ(run.tensors().at("loss.oldest")[0], 4.0);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(second[i] == first[i], i >= 16 && i < 24) << i;
}

/// The keys' encoder begins as the queries', follows it before each step, and has moments of its own.
TEST(MomentumContrast, TheKeysEncoderFollows) {
  Contrast run("queue = 8, momentum = 0.75");
  const std::string weight = "backbone.conv1.weight", mean = "backbone.bn1.running_mean";
  const Tensors start = run.tensors();
  EXPECT_EQ(start.at("rebuilt.key_encoder." + weight), start.at("image_encoder." + weight));
  EXPECT_EQ(start.at("loss.key_head.layers.0.weight"), start.at("loss.head.layers.0.weight"));
  run.trainer.step();
  const Tensors one = run.tensors();
  EXPECT_EQ(one.at("rebuilt.key_encoder." + weight), start.at("image_encoder." + weight));
  EXPECT_NE(one.at("rebuilt.key_encoder." + mean), start.at("rebuilt.key_encoder." + mean));
  EXPECT_NE(one.at("rebuilt.key_encoder." + mean), one.at("image_encoder." + mean));
  run.trainer.step();
  const std::vector<double> found = run.tensors().at("rebuilt.key_encoder." + weight);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], 0.75 * start.at("image_encoder." + weight)[i] + 0.25 * one.at("image_encoder." + weight)[i],
                1e-6);
  }
}

/// Groups change what batch norms divide by, and nothing else: the order in which keys are encoded is undone.
TEST(MomentumContrast, KeysComeBackInTheOrderOfTheirQueries) {
  const auto first_keys = [](const std::string& loss) {
    Contrast run(loss);
    run.trainer.step();
    return run.tensors().at("loss.queue");
  };
  const std::vector<double> whole = first_keys("queue = 6"), parts = first_keys("queue = 6, groups = 3");
  const auto product = [&](size_t a, size_t b) {
    double sum = 0.0;
    for (size_t i = 0; i < 4; ++i) sum += whole[4 * a + i] * parts[4 * b + i];
    return sum;
  };
  double own = 0.0, others = 0.0;
  for (size_t a = 0; a < 6; ++a) {
    for (size_t b = 0; b < 6; ++b) (a == b ? own : others) += product(a, b) / (a == b ? 6.0 : 30.0);
  }
  EXPECT_NE(whole, parts);
  EXPECT_GT(own, others);
}

TEST(MomentumContrast, AStepOfSeveralBatchesKeepsTheKeysOfAll) {
  Contrast run("queue = 16", 2);
  run.trainer.step();
  EXPECT_EQ(run.tensors().at("loss.oldest")[0], 12.0);
}

TEST(MomentumContrast, BatchesThatDoNotFitAreRefusedBeforeTraining) {
  EXPECT_THAT([] { Contrast run("queue = 8, groups = 4"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("a batch of 6 objects does not fall into 4 groups")));
  EXPECT_THAT([] { Contrast run("queue = 5"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("a queue of 5 keys does not hold a batch of 6")));
}

}  // namespace
}  // namespace astroclip::train
