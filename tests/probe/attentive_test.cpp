// Attentive probes: the formula, what they learn that a mean cannot hold, and how much they read at a time.
#include "probe/attentive.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <numeric>

#include "base/rng.h"
#include "probe/metrics.h"
#include "probe/predict.h"
#include "support/tokens_in_memory.h"

namespace astroclip::probe {
namespace {

using testing_support::Marked;
using testing_support::TokensInMemory;

/// Of a sample with as many labels of each object as there are outputs.
Sample sample_of(const Marked& marked, std::vector<double> labels, int64_t outputs, Target target) {
  Sample sample{marked.vectors.values,  std::move(labels), marked.vectors.objects,
                marked.vectors.objects, outputs,           target};
  sample.tokens = marked.vectors.tokens;
  return sample;
}

FittedProbe fitted_on(const Sample& train, const MlpOptions& options, uint64_t seed = 1) {
  FittedProbe fitted{"attentive", "label", {"label"}, train.target};
  fitted.standardise = token_standardiser(train, Standardisation::columns, options.batch);
  fitted.probe = fit_attentive(train, fitted.standardise, options, "probe", seed);
  return fitted;
}

using Numbers = std::vector<double>;

/// (x · W_iᵀ + b_i) of a row, by names of tensors.
Numbers linear(const Numbers& x, std::map<std::string, Numbers>& tensors, const std::string& layer) {
  const Numbers &weight = tensors.at(layer + ".weight"), &bias = tensors.at(layer + ".bias");
  Numbers y = bias;
  for (size_t out = 0; out < y.size(); ++out) {
    for (size_t in = 0; in < x.size(); ++in) y[out] += weight[out * x.size() + in] * x[in];
  }
  return y;
}

/// The formula in float64, of the tokens [tokens, columns] of one object.
Numbers by_formula(const Matrix& tokens, std::map<std::string, Numbers>& tensors) {
  const auto columns = static_cast<size_t>(tokens.columns);
  std::vector<Numbers> x;
  Numbers scores;
  for (int64_t token = 0; token < tokens.rows; ++token) {
    Numbers& own = x.emplace_back();
    double score = 0.0;
    for (size_t column = 0; column < columns; ++column) {
      const double raw = tokens.row(token)[column];
      own.push_back((raw - tensors.at("column_mean")[column]) * tensors.at("column_scale")[column]);
      score += own.back() * tensors.at("query")[column];
    }
    scores.push_back(std::exp(score));
  }
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  Numbers found(columns);
  for (size_t token = 0; token < x.size(); ++token) {
    for (size_t column = 0; column < columns; ++column) found[column] += scores[token] / sum * x[token][column];
  }
  double mean = 0.0, variance = 0.0;
  for (const double value : found) mean += value / static_cast<double>(columns);
  for (const double value : found) variance += (value - mean) * (value - mean) / static_cast<double>(columns);
  for (size_t column = 0; column < columns; ++column) {
    found[column] = (found[column] - mean) / std::sqrt(variance + 1e-6) * tensors.at("norm.weight")[column] +
                    tensors.at("norm.bias")[column];
  }
  Numbers hidden = linear(found, tensors, "mlp.layers.0");
  for (double& value : hidden) value = std::max(0.0, value);
  return linear(hidden, tensors, "mlp.layers.1");
}

class AttentiveFormula : public testing::TestWithParam<Target> {};

TEST_P(AttentiveFormula, Holds) {
  Rng rng(21, RngStream::tests);
  const Marked marked(40, rng);
  std::vector<double> labels;
  for (const double label : marked.labels) {
    const double share = 1.0 / (1.0 + std::exp(-label));
    labels.insert(labels.end(), {share, GetParam() == Target::shares ? 1.0 - share : 7.0 + label});
  }
  const Sample train = sample_of(marked, labels, 2, GetParam());
  const FittedProbe probe = fitted_on(train, {.hidden = {5}, .epochs = 30, .batch = 8, .lr = 1e-2});
  std::map<std::string, Numbers> tensors;
  for (const NamedTensor& entry : probe.tensors()) tensors[entry.name] = entry.tensor.to_doubles();
  ASSERT_GT(std::abs(tensors.at("query")[0]), 0.02);
  const std::vector<double> predicted = predict_from_tokens(probe, train, 16);
  ASSERT_EQ(predicted.size(), 80U);
  for (int64_t object = 0; object < 40; ++object) {
    Numbers expected = by_formula(train.tokens->read(std::vector{object}), tensors);
    if (GetParam() == Target::shares) {
      const double sum = std::exp(expected[0]) + std::exp(expected[1]);
      for (double& value : expected) value = std::exp(value) / sum;
    } else {
      for (size_t i = 0; i < 2; ++i) {
        expected[i] = expected[i] * tensors.at("label_deviation")[i] + tensors.at("label_mean")[i];
      }
    }
    for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(predicted[static_cast<size_t>(2 * object) + i], expected[i], 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentiveFormula, testing::Values(Target::numbers, Target::shares),
                         [](const auto& one) { return one.param == Target::numbers ? "numbers" : "shares"; });

/// A mean of eight tokens holds a 1/64 of the label's variance among 7/64 of noise: at best R² = 1/8.
TEST(AttentiveProbe, FindsTheTokenThatTells) {
  Rng rng(22, RngStream::tests);
  const Marked for_training(1500, rng), for_test(300, rng);
  const Sample train = sample_of(for_training, for_training.labels, 1, Target::numbers),
               test = sample_of(for_test, for_test.labels, 1, Target::numbers);
  const MlpOptions options{.hidden = {16}, .epochs = 30, .batch = 20, .lr = 5e-3, .dropout = 0.0};
  const std::vector<double> predicted = predict_from_tokens(fitted_on(train, options), test, 20);
  EXPECT_GT(r_squared(predicted, test.labels), 0.8);
  EXPECT_LT(r_squared(fit_mlp(train, options, "probe", 1)->predict(test.features), test.labels), 0.25);
  EXPECT_EQ(predict_from_tokens(fitted_on(train, options), test, 20), predicted);
  EXPECT_NE(predict_from_tokens(fitted_on(train, options, 2), test, 20), predicted);
}

TEST(AttentiveProbe, ReadsABatchAtATime) {
  Rng rng(23, RngStream::tests);
  const Marked marked(50, rng);
  const Sample train = sample_of(marked, marked.labels, 1, Target::numbers);
  const FittedProbe probe = fitted_on(train, {.hidden = {4}, .epochs = 2, .batch = 8, .validation = 0.4});
  (void)predict_from_tokens(probe, train, 8);
  EXPECT_EQ(dynamic_cast<const TokensInMemory&>(*train.tokens).most(), 8);
}

TEST(AttentiveProbe, StandardisesColumnsOfTokens) {
  Sample train{{2, 1, {0, 0}}, {0, 1}, {1, 2}, {0, 1}};
  train.tokens = std::make_shared<TokensInMemory>(2, Matrix{4, 2, {1, 7, 3, 7, 5, 7, 7, 7}});
  const Standardiser columns = token_standardiser(train, Standardisation::columns, 1);
  EXPECT_THAT(columns.means(), testing::ElementsAre(4, 7));
  EXPECT_THAT(columns.scales(), testing::ElementsAre(testing::DoubleNear(1.0 / std::sqrt(5.0), 1e-12), 0));
  const Standardiser none = token_standardiser(train, Standardisation::none, 1);
  EXPECT_THAT(none.means(), testing::ElementsAre(0, 0));
  EXPECT_THAT(none.scales(), testing::ElementsAre(1, 1));
}

}  // namespace
}  // namespace astroclip::probe
