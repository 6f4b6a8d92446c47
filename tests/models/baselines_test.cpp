// The supervised baselines against numbers of the published implementation.
#include <gmock/gmock.h>

#include "autograd/tape.h"
#include "models/model_support.h"
#include "nn/layers.h"
#include "nn/published_weights.h"
#include "ops/ops.h"
#include "testing/gradient_check.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::lowest_cosine;
using testing_support::make_encoder;
using testing_support::relative_error;

class Baselines : public testing_support::OnEachBackend {};

TEST_P(Baselines, ConvolutionsAndAttentionOnSpectra) {
  const Fixture io("baselines.io", device());
  auto encoder = make_encoder("conv_attention", "width = 4", device());
  auto weights = io.all("conv_attention.weights.conv", "backbone.conv");
  for (const NamedTensor& entry : io.all("conv_attention.weights.mlp", "mlp")) weights.push_back(entry);
  const nn::LoadReport report = nn::load_state(encoder->state(), weights);
  ASSERT_TRUE(report.complete() && report.unexpected.empty());
  const Encoded encoded = encoder->encode(encoder->tokenize(io["spectra"]), {}, TokenForm::alignment);
  EXPECT_EQ(encoded.tokens.size(2), encoder->dim());
  EXPECT_LT(relative_error(encoder->embed(encoded), io["conv_attention.output"]), 1e-5);
  const ops::PrecisionScope scope(Precision::bf16);
  const Encoded rounded = encoder->encode(encoder->tokenize(io["spectra"]), {}, TokenForm::alignment);
  EXPECT_GE(lowest_cosine(encoder->embed(rounded), io["conv_attention.output"]), 0.999);
}

/// The fixture holds the stem and the first of four stages: with one stage, the whole backbone.
TEST_P(Baselines, ResnetsFirstStage) {
  const Fixture io("resnet18.stage1", device());
  auto encoder = make_encoder("resnet", "image = 64\nblocks = [2]", device());
  nn::load_published(*encoder, io.all(), "resnet18.stage1", "backbone");
  const auto features = [&] {
    const Encoded encoded = encoder->encode(encoder->tokenize(io["images"]), {}, TokenForm::alignment);
    return ops::reshape(ops::permute(encoded.tokens, {0, 2, 1}), {2, 64, 16, 16});
  };
  EXPECT_LT(relative_error(features(), io["after_layer1"]), 1e-5);
  const ops::PrecisionScope scope(Precision::bf16);
  EXPECT_GE(lowest_cosine(ops::reshape(features(), {2, 64 * 16 * 16}), io["after_layer1"].view_as({2, 64 * 16 * 16})),
            0.999);
}

TEST_P(Baselines, NetworkOnMagnitudes) {
  const Fixture io("baselines.io", device());
  nn::Mlp network(3, {64, 64, 4});
  network.materialize_empty(device());
  std::vector<NamedTensor> weights;
  for (const int64_t layer : {0, 1, 2}) {  // torch.nn.Sequential counts activations and dropout, too
    const auto of_layer =
        io.all("mlp.weights." + std::to_string(3 * layer) + ".", "layers." + std::to_string(layer) + ".");
    weights.insert(weights.end(), of_layer.begin(), of_layer.end());
  }
  const nn::LoadReport report = nn::load_state(network.state(), weights);
  ASSERT_TRUE(report.complete() && report.unexpected.empty());
  EXPECT_LT(relative_error(network(io["photometry"]), io["mlp.output"]), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Backends, Baselines, testing_support::each_backend(), testing_support::backend_name);

/// Gradients of whole towers on the reference, against central differences.
TEST(BaselineGradients, AgreeWithCentralDifferences) {
  Rng rng(3, RngStream::tests);
  const Device reference{DeviceKind::reference};
  const std::pair<const char*, const char*> towers[] = {{"resnet", "image = 16\ndim = 4\nblocks = [1, 1]\nwidth = 3"},
                                                        {"conv_attention", "pixels = 1200\nhidden = [5]\nwidth = 3"}};
  for (const auto& [plugin, parameters] : towers) {
    auto encoder = make_encoder(plugin, parameters, reference);
    encoder->set_training(true);
    std::vector<int64_t> extents = {3};
    for (const int64_t extent : encoder->input_shape()) extents.push_back(extent);
    const Tensor raw = testing_support::random_tensor(Shape(extents), rng);
    const auto embed = [&] {
      return encoder->embed(encoder->encode(encoder->tokenize(raw), {}, TokenForm::alignment));
    };
    EXPECT_EQ(testing_support::gradient_errors(embed, encoder->parameters(), rng, 4), "") << plugin;
  }
}

TEST(Resnet, LoadsACheckpointWithItsLastLayerAndCounters) {
  const Device cpu{DeviceKind::cpu};
  auto source = make_encoder("resnet", "image = 32\ndim = 4\nblocks = [1, 1]\nwidth = 2", cpu);
  std::vector<NamedTensor> file;
  for (const NamedTensor& entry : source->state()) {
    const std::string name = entry.name.starts_with("backbone.") ? entry.name.substr(9) : entry.name;
    file.push_back({"model.resnet." + name, entry.tensor});
    if (name.ends_with("running_var")) {
      const std::string counter = name.substr(0, name.size() - 11) + "num_batches_tracked";
      file.push_back({"model.resnet." + counter, Tensor::from_host(std::vector<int64_t>{7}, {1}, cpu).view_as({})});
    }
  }
  auto target = make_encoder("resnet", "image = 32\ndim = 4\nblocks = [1, 1]\nwidth = 5", cpu);
  nn::load_published(*target, file, "file", "backbone");
  const auto found = target->state(), expected = source->state();
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i].name.starts_with("backbone.")) continue;
    EXPECT_EQ(found[i].tensor.to_doubles(), expected[i].tensor.to_doubles()) << found[i].name;
  }
}

TEST(Resnet, RefusesImagesOfAnotherShape) {
  auto encoder = make_encoder("resnet", "image = 32\ndim = 4\nblocks = [1]", {DeviceKind::cpu});
  try {
    encoder->tokenize(Tensor::zeros({2, 3, 32, 16}, DType::f32, {DeviceKind::cpu}));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[resnet] images must be [batch, 3, side, side], found [2, 3, 32, 16]");
  }
}

}  // namespace
}  // namespace astroclip
