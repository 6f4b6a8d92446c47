// Probes trained as the published code trains them, against its numbers.
#include <gmock/gmock.h>

#include <numeric>

#include "models/model_support.h"
#include "probe/classification.h"
#include "probe/metrics.h"
#include "probe/network_training.h"

namespace astroclip::probe {
namespace {

using testing::DoubleNear;
using testing::Pointwise;
using testing_support::Fixture;
using testing_support::relative_error;

Matrix as_matrix(const Tensor& tensor) { return {tensor.size(0), tensor.size(1), tensor.to_floats()}; }

std::vector<int64_t> rows_of(const Fixture& file, const std::string& name) {
  const std::vector<double> values = file.doubles(name);
  return {values.begin(), values.end()};
}

/// Our "layers.1.weight" is the published "layers.3.weight": ReLU and dropout have numbers, too.
std::string published(const std::string& before, const std::string& name) {
  return before + std::to_string(3 * (name[7] - '0')) + name.substr(8);
}

class PublishedHead {
 public:
  PublishedHead(const Fixture& file, const Sample& train, const MlpOptions& options, std::string layers)
      : file_(file),
        training_(mlp_training(train, options, "probe", 1)),
        batch_(options.batch),
        layers_(std::move(layers)) {
    for (NamedTensor& entry : training_.network().parameters()) {
      entry.tensor.copy_from(file[published("init." + layers_, entry.name)]);
    }
  }

  /// One epoch of the published batches; `order` are places in `rows`.
  void epoch(std::span<const int64_t> order, const std::vector<int64_t>& rows) {
    for (size_t begin = 0; begin < order.size(); begin += static_cast<size_t>(batch_)) {
      std::vector<int64_t> batch;
      const size_t end = std::min(order.size(), begin + static_cast<size_t>(batch_));
      for (size_t i = begin; i < end; ++i) batch.push_back(rows[static_cast<size_t>(order[i])]);
      losses_.push_back(training_.step(batch, 0));
    }
  }

  void expect_weights(const std::string& group) {
    for (const NamedTensor& entry : training_.network().parameters()) {
      EXPECT_LT(relative_error(entry.tensor, file_[published(group + "." + layers_, entry.name)]), 1e-4) << entry.name;
    }
  }

  NetworkTraining& training() { return training_; }
  const std::vector<double>& losses() const { return losses_; }

 private:
  const Fixture& file_;
  NetworkTraining training_;
  int64_t batch_;
  std::string layers_;
  std::vector<double> losses_;
};

TEST(PublishedHeads, Morphology) {
  const Fixture file("morphology_mlp", Device::host());
  const Sample train{as_matrix(file["train_x"]), file.doubles("train_votes"), {}, {}, 3, Target::shares};
  const MlpOptions options{
      .hidden = {32, 32, 32}, .epochs = 7, .batch = 64, .lr = 0.006, .dropout = 0.0, .softmax_twice = true};
  PublishedHead head(file, train, options, "layers.");
  const std::vector<int64_t> rows = rows_of(file, "train_rows"), order = rows_of(file, "batch_order");
  const std::vector<double> validation = file.doubles("validation_loss");
  const auto best_epoch = static_cast<size_t>(file.doubles("best_epoch")[0]);
  for (size_t epoch = 0; epoch < 7; ++epoch) {
    head.epoch(std::span(order).subspan(epoch * rows.size(), rows.size()), rows);
    EXPECT_NEAR(head.training().loss(rows_of(file, "validation_rows")), validation[epoch], 1e-5);
    if (epoch == best_epoch) head.expect_weights("best");
  }
  EXPECT_THAT(head.losses(), Pointwise(DoubleNear(1e-5), file.doubles("loss")));
  head.expect_weights("final");

  const std::vector<double> votes = file.doubles("test_votes");
  const std::vector<double> predicted = std::move(head.training()).probe()->predict(as_matrix(file["test_x"]));
  EXPECT_LT(relative_error(predicted, file.doubles("prediction")), 1e-5);
  const Answers published_truth = largest_shares(votes, 3, Ties::all), answers = largest_shares(predicted, 3);
  EXPECT_EQ(accuracy(answers, published_truth), file.doubles("accuracy")[0]);
  EXPECT_NEAR(weighted_f1(answers, published_truth), file.doubles("weighted_f1")[0], 1e-12);
  const Answers truth = largest_shares(votes, 3);
  EXPECT_EQ(accuracy(answers, truth), file.doubles("argmax.accuracy")[0]);
  EXPECT_NEAR(weighted_f1(answers, truth), file.doubles("argmax.weighted_f1")[0], 1e-12);
  EXPECT_NEAR(balanced_accuracy(answers, truth), file.doubles("argmax.balanced_accuracy")[0], 1e-12);
  EXPECT_EQ(accuracy(largest_shares(file.doubles("best.prediction"), 3), truth),
            file.doubles("best.argmax.accuracy")[0]);
}

class PublishedNumbers : public testing::TestWithParam<std::string> {};

TEST_P(PublishedNumbers, OfAllOutputsTogether) {
  const Fixture file(GetParam(), Device::host());
  const int64_t outputs = static_cast<int64_t>(file.doubles("r2").size());
  Sample train{as_matrix(file["train_x"]), file.doubles("train_y"), {}, {}, outputs};
  const Standardiser standardise(train.features);
  EXPECT_LT(relative_error(standardise.means(), file.doubles("x_mean")), 1e-6);
  std::vector<double> deviations;
  for (const double scale : standardise.scales()) deviations.push_back(1.0 / scale);
  EXPECT_LT(relative_error(deviations, file.doubles("x_scale")), 1e-6);
  train.features = standardise(train.features);

  MlpOptions options{.hidden = {16}, .epochs = 7, .batch = 64, .lr = 0.003, .dropout = 0.0};
  if (outputs > 1) options.hidden = {16, 16};
  PublishedHead head(file, train, options, "");
  std::vector<int64_t> rows(480);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const std::vector<int64_t> order = rows_of(file, "batch_order");
  for (size_t epoch = 0; epoch < 7; ++epoch) head.epoch(std::span(order).subspan(epoch * 480, 480), rows);
  EXPECT_THAT(head.losses(), Pointwise(DoubleNear(1e-5), file.doubles("loss")));
  head.expect_weights("final");

  const auto probe = std::move(head.training()).probe();
  const std::vector<double> predicted = probe->predict(standardise(as_matrix(file["test_x"])));
  EXPECT_LT(relative_error(predicted, file.doubles("prediction")), 1e-5);
  const std::vector<double> truth = file.doubles("test_y");
  for (size_t output = 0; output < static_cast<size_t>(outputs); ++output) {
    std::vector<double> of_one[2];
    for (size_t i = output; i < truth.size(); i += static_cast<size_t>(outputs)) {
      of_one[0].push_back(predicted[i]);
      of_one[1].push_back(truth[i]);
    }
    EXPECT_NEAR(r_squared(of_one[0], of_one[1]), file.doubles("r2")[output], 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Few, PublishedNumbers, testing::Values("property_mlp", "property_mlp.redshift"),
                         [](const auto& one) { return one.index == 0 ? "Properties" : "Redshift"; });

}  // namespace
}  // namespace astroclip::probe
