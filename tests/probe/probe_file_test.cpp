// Probes that are saved and read predict the same numbers.
#include "probe/probe_file.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"
#include "probe/attentive.h"
#include "probe/posterior.h"
#include "probe/predict.h"
#include "support/message_of.h"
#include "support/scratch.h"
#include "support/tokens_in_memory.h"

namespace astroclip::probe {
namespace {

using testing_support::scratch;

constexpr int64_t tokens_of_each = 3;

/// The six columns as three tokens of two.
Matrix as_tokens(Matrix features) {
  features.rows *= tokens_of_each;
  features.columns /= tokens_of_each;
  return features;
}

/// Two numbers, or shares of three answers, that six columns tell something of.
Sample sample_of(Target target) {
  Rng rng(12, RngStream::tests);
  Sample sample{{60, 6}, {}, {}, {}, target == Target::shares ? 3 : 2, target};
  for (int64_t row = 0; row < 60; ++row) {
    double sum = 0.0;
    for (int column = 0; column < 6; ++column) {
      sample.features.values.push_back(static_cast<float>(rng.normal()));
      sum += double{sample.features.values.back()};
    }
    if (target == Target::numbers) sample.labels.insert(sample.labels.end(), {10.0 + sum, -sum});
    const double first = 0.5 / (1.0 + std::exp(sum));
    if (target == Target::shares) sample.labels.insert(sample.labels.end(), {first, 0.5 - first, 0.5});
    sample.ids.push_back(row);
    sample.objects.push_back(row);
  }
  sample.tokens = std::make_shared<testing_support::TokensInMemory>(tokens_of_each, as_tokens(sample.features));
  return sample;
}

struct Saved {
  std::string method;
  Target target;
};

class ProbeFiles : public testing::TestWithParam<Saved> {
 protected:
  static FittedProbe fitted() {
    const auto& [method, target] = GetParam();
    Sample train = sample_of(target);
    const Standardiser standardise(train.features);
    train.features = standardise(train.features);
    FittedProbe probe{method, "quantity", {"one", "two"}, target, Protocol::corrected, standardise};
    if (target == Target::shares) probe.outputs.push_back("three");
    const PosteriorOptions flows{.members = 2, .epochs = 1, .batch = 20};
    PosteriorOptions coupled = flows, in_order = flows;
    coupled.flow = FlowKind::coupling;
    in_order.flow = FlowKind::autoregressive;
    if (method == "knn") probe.probe = fit_knn(train, 5);
    if (method == "ridge") probe.probe = fit_ridge(train, 1.0);
    if (method == "logistic") probe.probe = fit_logistic(train, 1.0);
    if (method == "mlp") probe.probe = fit_mlp(train, {.hidden = {8, 4}, .epochs = 2}, "probe", 1);
    if (method == "attentive") {
      probe.standardise = token_standardiser(train, Standardisation::columns, 20);
      probe.probe = fit_attentive(train, probe.standardise, {.hidden = {8}, .epochs = 2}, "probe", 1);
    }
    if (method == "elementwise_flow") probe.probe = fit_posterior(train, flows, "probe", 1);
    if (method == "coupling_flow") probe.probe = fit_posterior(train, coupled, "probe", 1);
    if (method == "autoregressive_flow") probe.probe = fit_posterior(train, in_order, "probe", 1);
    if (method.ends_with("flow")) probe.outputs = quantile_names(probe.outputs);
    return probe;
  }
};

TEST_P(ProbeFiles, PredictTheSame) {
  const FittedProbe saved = fitted();
  auto metadata = saved.metadata();
  metadata["model_hash"] = "abc";
  const std::string path = scratch("probe.safetensors");
  io::write_safetensors(path, saved.tensors(), metadata);
  const ProbeFile read = read_probe(path);
  EXPECT_EQ(read["model_hash"], "abc");
  EXPECT_EQ(read["protocol"], "corrected");
  EXPECT_EQ(read["nothing"], "");
  EXPECT_EQ(read.fitted.method, saved.method);
  EXPECT_EQ(read.fitted.predicts, "quantity");
  EXPECT_EQ(read.fitted.outputs, saved.outputs);
  EXPECT_EQ(read.fitted.target, saved.target);
  Matrix others = select_rows(sample_of(saved.target).features, std::vector<int64_t>{3, 1, 4, 1});
  if (saved.method == "attentive") others = as_tokens(others);
  const std::vector<double> expected = saved.predict(others);
  ASSERT_EQ(expected.size(), 4 * saved.outputs.size());
  EXPECT_EQ(read.fitted.predict(others), expected);
}

TEST_P(ProbeFiles, MissingTensorsAreNamed) {
  const FittedProbe saved = fitted();
  for (const NamedTensor& left_out : saved.tensors()) {
    std::vector<NamedTensor> tensors = saved.tensors();
    std::erase_if(tensors, [&](const NamedTensor& one) { return one.name == left_out.name; });
    const std::string path = scratch("lacking.safetensors");
    io::write_safetensors(path, tensors, saved.metadata());
    EXPECT_THAT([&] { read_probe(path); }, testing::ThrowsMessage<Error>(testing::StartsWith(path + ": the probe")))
        << left_out.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ProbeFiles,
    testing::Values(Saved{"knn", Target::numbers}, Saved{"knn", Target::shares}, Saved{"ridge", Target::numbers},
                    Saved{"ridge", Target::shares}, Saved{"logistic", Target::shares}, Saved{"mlp", Target::numbers},
                    Saved{"mlp", Target::shares}, Saved{"attentive", Target::numbers},
                    Saved{"attentive", Target::shares}, Saved{"elementwise_flow", Target::numbers},
                    Saved{"coupling_flow", Target::numbers}, Saved{"autoregressive_flow", Target::numbers}),
    [](const auto& one) { return one.param.method + (one.param.target == Target::shares ? "_of_shares" : ""); });

TEST(ProbeFile, OfAnotherKindIsRefused) {
  const std::string path = scratch("other.safetensors");
  const Tensor weight = Tensor::from_host(std::vector<double>{1, 2}, {2}, DType::f64, Device::host());
  const std::vector<NamedTensor> tensors = {{"column_mean", weight}, {"column_scale", weight}, {"weight", weight}};
  const auto reason = [&](const std::map<std::string, std::string>& metadata) {
    io::write_safetensors(path, tensors, metadata);
    return testing_support::message_of([&] { read_probe(path); }).substr(path.size());
  };
  EXPECT_EQ(reason({{"model_hash", "abc"}}), ": is not a file of a probe: its metadata has no \"probe\"");
  EXPECT_EQ(reason({{"probe", "ridge"}, {"target", "votes"}}),
            ": its metadata \"target\" is \"votes\", \"numbers\" or \"shares\" was expected");
  EXPECT_EQ(reason({{"probe", "forest"}, {"target", "numbers"}}),
            ": the probe's method is \"forest\", which is none of a probe");
  EXPECT_EQ(reason({{"probe", "ridge"}, {"target", "numbers"}}),
            ": the probe's tensor 'weight' has the shape [2], 2 axes were expected");
}

TEST(ProbeFile, SaysWhatIsWrongWithItsProtocolOrTokens) {
  Sample train = sample_of(Target::numbers);
  FittedProbe saved{"attentive", "z", {"z", "w"}, Target::numbers, Protocol::published};
  saved.standardise = token_standardiser(train, Standardisation::columns, 20);
  saved.probe = fit_attentive(train, saved.standardise, {.hidden = {4}, .epochs = 1}, "probe", 1);
  const std::string path = scratch("tokens.safetensors");
  auto metadata = saved.metadata();
  EXPECT_EQ(metadata["protocol"], "published");
  std::vector<NamedTensor> tensors = saved.tensors();
  const auto reason = [&] {
    io::write_safetensors(path, tensors, metadata);
    return testing_support::message_of([&] { read_probe(path); }).substr(path.size());
  };
  metadata["protocol"] = "improved";
  EXPECT_EQ(reason(),
            ": its metadata \"protocol\" is \"improved\", \"own\", \"published\" or \"corrected\" was expected");
  metadata["protocol"] = "published";
  for (NamedTensor& one : tensors) {
    if (one.name != "tokens") continue;
    one.tensor = Tensor::from_host(std::vector<double>{1e9}, {1}, DType::f64, Device::host());
  }
  EXPECT_EQ(reason(), ": the probe's tensor 'tokens' is 1000000000, expected 1 to 65536");
  EXPECT_THAT(
      [&] {
        (void)saved.probe->predict(Matrix{4, 2, std::vector<float>(8)});
      },
      testing::ThrowsMessage<Error>("the probe takes 3 vectors of each object, found 4 of all"));
}

TEST(ProbeFile, TakesVectorsOfItsWidthAlone) {
  Sample train = sample_of(Target::numbers);
  const FittedProbe probe{
      "ridge", "z", {"z", "w"}, Target::numbers, Protocol::own, Standardiser(train.features), fit_ridge(train, 1.0)};
  EXPECT_THAT(
      [&] {
        (void)probe.predict({1, 2, {1, 2}});
      },
      testing::ThrowsMessage<Error>("[standardise] expected 6 columns, found 2"));
}

}  // namespace
}  // namespace astroclip::probe
