// Distributions of initial weights, by the arguments that the published code passes: torch.nn.init.trunc_normal_(std =
// 0.02) cuts at ±2, whatever the deviation (DINOv2's ViT and head), the Specformer at ±3 deviations.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>

#include "models/model_support.h"
#include "nn/dino_head.h"

namespace astroclip {
namespace {

constexpr Device on_cpu{DeviceKind::cpu};

struct Moments {
  double count = 0.0, mean = 0.0, deviation = 0.0, kurtosis = 0.0, largest = 0.0;
};

Moments moments_of(const Tensor& tensor) {
  Moments m;
  const std::vector<double> values = tensor.to_doubles();
  m.count = static_cast<double>(values.size());
  for (const double value : values) m.mean += value / m.count;
  double squares = 0.0, fourths = 0.0;
  for (const double value : values) {
    const double square = (value - m.mean) * (value - m.mean);
    squares += square / m.count;
    fourths += square * square / m.count;
    m.largest = std::max(m.largest, std::abs(value));
  }
  m.deviation = std::sqrt(squares);
  m.kurtosis = fourths / (squares * squares);
  return m;
}

/// Within five standard errors: of a mean σ/√n, of a deviation σ·√((κ − 1)/4n) with the kurtosis κ.
void expect_moments(const std::string& name, const Moments& found, double deviation, double kurtosis) {
  EXPECT_NEAR(found.mean, 0.0, 5.0 * deviation / std::sqrt(found.count)) << name;
  EXPECT_NEAR(found.deviation, deviation, 5.0 * deviation * std::sqrt((kurtosis - 1.0) / (4.0 * found.count))) << name;
}

/// A normal of deviation 1 cut at ±c (Johnson, Kotz & Balakrishnan 1994, section 10.1).
struct CutNormal {
  explicit CutNormal(double c) {
    const double density = std::exp(-0.5 * c * c) / std::sqrt(2.0 * std::numbers::pi);
    const double inside = std::erf(c / std::numbers::sqrt2);
    const double variance = 1.0 - 2.0 * c * density / inside;
    const double fourth = 3.0 * variance - 2.0 * c * c * c * density / inside;
    deviation = std::sqrt(variance);
    kurtosis = fourth / (variance * variance);
  }
  double deviation, kurtosis;
};

/// The largest of n normal deviates lies above this but for one time in e^10.
double expected_reach(double count) {
  double z = 0.0;
  while (0.5 * std::erfc(z / std::numbers::sqrt2) * 2.0 * count > 10.0) z += 0.01;
  return z;
}

void expect_uncut(const std::string& name, const Tensor& tensor) {
  const Moments found = moments_of(tensor);
  expect_moments(name, found, 0.02, 3.0);
  EXPECT_GT(found.largest, 0.02 * expected_reach(found.count)) << name;
}

void expect_uniform(const std::string& name, const Tensor& tensor, double half_width) {
  const Moments found = moments_of(tensor);
  expect_moments(name, found, half_width / std::sqrt(3.0), 1.8);
  EXPECT_LE(found.largest, half_width) << name;
}

std::map<std::string, Tensor> parameters_of(const nn::Module& module) {
  std::map<std::string, Tensor> by_name;
  for (const NamedTensor& entry : module.parameters()) by_name[entry.name] = entry.tensor;
  return by_name;
}

TEST(InitialWeights, OfTheVitAreNormalAndPracticallyUncut) {
  const auto vit = testing_support::make_encoder("vit", "dim = 192\ndepth = 1\nheads = 3\nchunks = 1\n", on_cpu);
  const auto weights = parameters_of(*vit);
  for (const char* name : {"pos_embed", "blocks.0.attn.qkv.weight", "blocks.0.attn.proj.weight",
                           "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc2.weight"}) {
    expect_uncut(name, weights.at(std::string("backbone.") + name));
  }
}

TEST(InitialWeights, OfTheDinoHeadAreNormalAndPracticallyUncut) {
  nn::DinoHead head({.in = 192, .prototypes = 512, .hidden = 256, .bottleneck = 64});
  head.materialize(on_cpu, 1);
  const auto weights = parameters_of(head);
  for (const char* name : {"mlp.0.weight", "mlp.2.weight", "mlp.4.weight"}) expect_uncut(name, weights.at(name));
}

TEST(InitialWeights, OfTheSpecformerAreCutAtThreeDeviationsAndItsEmbeddingBiasIsUniform) {
  const double dim = 192.0, depth = 2.0;
  const auto specformer = testing_support::make_encoder("specformer", "dim = 192\ndepth = 2\nheads = 3\n", on_cpu);
  const auto weights = parameters_of(*specformer);
  const CutNormal cut(3.0);
  const std::map<std::string, double> variances = {{"data_embed.weight", 1.0 / dim},
                                                   {"position_embed.weight", 1.0 / dim},
                                                   {"blocks.0.attention.attention.weight", 1.0 / (2.0 * dim * depth)},
                                                   {"blocks.1.mlp.encoder.weight", 1.0 / (2.0 * dim * depth)},
                                                   {"blocks.1.mlp.decoder.weight", 1.0 / (8.0 * dim * depth)},
                                                   {"head.weight", 1.0 / dim}};
  for (const auto& [name, variance] : variances) {
    const double deviation = std::sqrt(variance);
    const Moments found = moments_of(weights.at("backbone." + name));
    expect_moments(name, found, deviation * cut.deviation, cut.kurtosis);
    EXPECT_LE(found.largest, 3.0 * deviation) << name;
  }
  expect_uniform("data_embed.bias", weights.at("backbone.data_embed.bias"), 1.0 / std::sqrt(22.0));
  for (const double bias : weights.at("backbone.head.bias").to_doubles()) EXPECT_EQ(bias, 0.0);
}

}  // namespace
}  // namespace astroclip
