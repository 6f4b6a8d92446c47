// Ensembles of spline flows, against the published training and against densities that are known.
#include "probe/posterior.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

#include "base/rng.h"
#include "models/model_support.h"

namespace astroclip::probe {
namespace {

using testing_support::Fixture;
using testing_support::relative_error;

TEST(FlowTraining, PublishedEpochs) {
  const Fixture file("spline_flow", Device::host());
  SplineFlow flow({FlowKind::elementwise, 4, 12, 3, 8, {10, 10, 10}});
  flow.materialize(Device::host(), 1);
  for (NamedTensor& entry : flow.parameters()) entry.tensor.copy_from(file["weights." + entry.name]);
  const Tensor contexts = file["training.train_context"], labels = file["training.train_properties"];
  const auto batch = [](const Tensor& all, int64_t i) {
    return all.view_rows(i, i + 1).view_as({all.size(1), all.size(2)});
  };
  FlowTraining training(flow);
  std::vector<double> losses;
  for (const double rate : file.doubles("training.learning_rate")) {
    const auto i = static_cast<int64_t>(losses.size()) % 3;
    losses.push_back(training.step(batch(labels, i), batch(contexts, i), rate));
  }
  EXPECT_LT(relative_error(losses, file.doubles("training.loss")), 5e-5);
  for (const NamedTensor& entry : flow.parameters()) {
    EXPECT_LT(relative_error(entry.tensor, file["training.final." + entry.name]), 1e-4) << entry.name;
  }
  const Tensor test_contexts = file["training.test_context"], test_labels = file["training.test_properties"];
  double loss = 0.0;
  for (int64_t i = 0; i < 3; ++i) loss += training.loss(batch(test_labels, i), batch(test_contexts, i)) / 3.0;
  EXPECT_NEAR(loss, file.doubles("training.test_loss")[0], 5e-5 * std::abs(loss));
}

constexpr double own_noise = 0.3;

/// Two labels that are 5 + x and the first one again, with normal noise that they share.
Sample correlated(int64_t count, uint64_t seed) {
  Rng rng(seed, RngStream::tests);
  Sample sample{{count, 1}, {}, {}, {}, 2};
  for (int64_t i = 0; i < count; ++i) {
    const double x = rng.normal(), first = 5.0 + x + own_noise * rng.normal();
    sample.features.values.push_back(static_cast<float>(x));
    sample.labels.insert(sample.labels.end(), {first, first + 0.1 * rng.normal()});
    sample.ids.push_back(i);
  }
  return sample;
}

constexpr int64_t tested = 400;

/// Fitted once for all tests.
const Posterior& fitted(FlowKind kind) {
  static std::map<FlowKind, std::unique_ptr<Posterior>> all;
  std::unique_ptr<Posterior>& one = all[kind];
  const PosteriorOptions options{.flow = kind, .members = 2, .hidden = 16, .epochs = 12, .batch = 100, .lr = 5e-3};
  if (!one) one = fit_posterior(correlated(2000, 13), options, "probe", 1);
  return *one;
}

/// The mean over test objects of −log of the ensemble's density of both labels, in their own units.
double loss_together(const Posterior& posterior) {
  const Sample test = correlated(tested, 14);
  const auto members = posterior.log_densities(test.features, test.labels);
  double loss = std::log(posterior.deviation()[0] * posterior.deviation()[1]);
  for (size_t i = 0; i < tested; ++i) {
    double density = 0.0;
    for (const auto& one : members) density += std::exp(one[2 * i] + one[2 * i + 1]) / 2.0;
    loss -= std::log(density) / tested;
  }
  return loss;
}

class Posteriors : public testing::TestWithParam<FlowKind> {};

class ElementwisePosterior : public testing::Test {
 protected:
  const Sample test_ = correlated(tested, 14);
  const Posterior& posterior_ = fitted(FlowKind::elementwise);
};

/// Entropies of normal densities: ½ log(2πe σ²).
double entropy(double deviation) {
  return std::log(deviation) + 0.5 * std::log(2.0 * std::numbers::pi * std::numbers::e);
}

TEST_F(ElementwisePosterior, IsTheKnownDensity) {
  const auto marginals = posterior_.marginals(test_.features, std::vector{0.0, 0.0}, std::vector{10.0, 10.0}, 300);
  ASSERT_EQ(marginals.size(), 2U);
  std::vector<double> transforms;
  double crps = 0.0;
  for (int64_t i = 0; i < tested; ++i) {
    const double truth = test_.labels[static_cast<size_t>(2 * i)];
    transforms.push_back(marginals[0].cumulative(i, truth));
    crps += marginals[0].crps(i, truth) / tested;
  }
  // A normal density of the right place and width has the mean σ/√π, 1.63/√n is the 1 % limit of the statistic.
  EXPECT_NEAR(crps, own_noise / std::sqrt(std::numbers::pi), 0.012);
  EXPECT_LT(distance_from_uniform(transforms), 1.63 / std::sqrt(double{tested}));
  EXPECT_NEAR(coverage(transforms, 0.68), 0.68, 0.07);
}

/// At this rate the loss of objects set apart rises now and then long before the training has ended.
TEST_P(Posteriors, CoverWhatTheySay) {
  const PosteriorOptions options{
      .flow = GetParam(), .members = 2, .hidden = 16, .epochs = 80, .batch = 100, .lr = 1e-2};
  const auto posterior = fit_posterior(correlated(2000, 13), options, "probe", 1);
  const Sample test = correlated(1000, 15);
  const auto marginals = posterior->marginals(test.features, std::vector{0.0, 0.0}, std::vector{10.0, 10.0}, 300);
  for (size_t label = 0; label < 2; ++label) {
    std::vector<double> transforms;
    for (int64_t i = 0; i < test.features.rows; ++i) {
      transforms.push_back(marginals[label].cumulative(i, test.labels[2 * static_cast<size_t>(i) + label]));
    }
    // Three deviations of a share of 1000.
    EXPECT_NEAR(coverage(transforms, 0.68), 0.68, 0.045) << label;
    EXPECT_NEAR(coverage(transforms, 0.95), 0.95, 0.021) << label;
  }
}

TEST_P(Posteriors, OnlyJointOnesSeeThatLabelsVaryTogether) {
  const double of_both = entropy(own_noise) + entropy(0.1),
               apart = entropy(own_noise) + entropy(std::hypot(own_noise, 0.1));
  const double found = loss_together(fitted(GetParam()));
  if (GetParam() == FlowKind::elementwise) {
    EXPECT_NEAR(found, apart, 0.1);
  } else {
    EXPECT_GT(found, of_both - 0.1);
    EXPECT_LT(found, apart - 0.4);
  }
}

TEST_F(ElementwisePosterior, PredictsQuantiles) {
  const std::vector<double> found = posterior_.predict({2, 1, {0.0F, 1.0F}});
  ASSERT_EQ(found.size(), 12U);
  const double wide = std::hypot(own_noise, 0.1);
  for (size_t i = 0; i < 4; ++i) {
    const double centre = 5.0 + static_cast<double>(i / 2), deviation = i % 2 == 0 ? own_noise : wide;
    EXPECT_NEAR(found[3 * i], centre - 0.994 * deviation, 0.1);
    EXPECT_NEAR(found[3 * i + 1], centre, 0.08);
    EXPECT_NEAR(found[3 * i + 2], centre + 0.994 * deviation, 0.1);
  }
  EXPECT_THAT(posterior_.predict({1, 1, {1.0F}}),
              testing::Pointwise(testing::DoubleNear(1e-4), std::vector(found.begin() + 6, found.end())));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Posteriors,
                         testing::Values(FlowKind::elementwise, FlowKind::coupling, FlowKind::autoregressive),
                         [](const auto& one) { return name_of(one.param); });

}  // namespace
}  // namespace astroclip::probe
