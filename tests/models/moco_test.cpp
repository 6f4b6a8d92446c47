// Four training steps of MoCo v2 against numbers of the published implementation.
#include <gmock/gmock.h>

#include "autograd/tape.h"
#include "models/model_support.h"
#include "nn/momentum_contrast.h"
#include "nn/self_distillation.h"
#include "ops/operators.h"
#include "optim/sgd.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::relative_error;

struct Network {
  const char *plugin, *toml;
  const char* backbone;  ///< before the published names of what we call "backbone."
  int64_t features;
  double loss, gradients, weights;  ///< tolerances
};

constexpr Network resnet = {"resnet", "image = 48\ndim = 8\nblocks = [1, 1, 1, 1]\n", "", 64, 5e-5, 2e-4, 1e-4};
constexpr Network vit = {
    "vit",
    "image = 144\npatch = 12\ndim = 48\ndepth = 4\nheads = 4\nchunks = 2\nhead = { width = 48, heads = 4 }\n",
    "backbone.",
    48,
    1e-5,
    1e-4,
    1e-5};

/// "backbone.…" of an encoder and "head.layers.…" of the objective, under the published names.
std::string published(const Network& network, const std::string& name) {
  if (name.starts_with("backbone.")) return network.backbone + name.substr(9);
  std::string of_layer = name.substr(name.find("layers.") + 7);  // "1.weight" of "fc.2.weight", behind the ReLU
  if (of_layer.front() == '1') of_layer.front() = '2';
  return "fc." + of_layer;
}

class MocoSteps : public testing::TestWithParam<std::tuple<DeviceKind, Network>> {
 protected:
  MocoSteps()
      : steps_(std::string("moco_steps.") + network().plugin, device()),
        final_(std::string("moco_steps.") + network().plugin + ".final", device()),
        query_encoder_(testing_support::make_encoder(network().plugin, network().toml, device())),
        key_encoder_(testing_support::make_encoder(network().plugin, network().toml, device())),
        contrast_({.in = network().features, .width = 16, .queue = 32, .temperature = 0.07}) {
    contrast_.materialize(device(), 1);
    for (NamedTensor& entry : backbone(*query_encoder_)) entry.tensor.copy_from(initial("q", entry.name));
    for (NamedTensor& entry : contrast_.state()) {
      if (entry.name.starts_with("head.")) entry.tensor.copy_from(initial("q", entry.name));
      if (entry.name == "queue") entry.tensor.copy_from(ops::permute(steps_["init.queue"], {1, 0}));
    }
    nn::load_state(key_encoder_->state(), query_encoder_->state());
    std::vector<NamedTensor> heads = contrast_.state();
    for (NamedTensor& entry : heads) {
      if (!entry.name.starts_with("key_head.")) continue;
      entry.tensor.copy_from(std::ranges::find(heads, entry.name.substr(4), &NamedTensor::name)->tensor);
    }
    for (NamedTensor& entry : backbone(*key_encoder_)) {
      if (entry.name.find("running_") != std::string::npos) entry.tensor.copy_from(initial("k", entry.name));
    }
    key_encoder_->set_trainable("", false);
    key_encoder_->set_batch_statistics({.of_frozen = true});
    query_encoder_->set_training(true);
    key_encoder_->set_training(true);
  }

  const Network& network() const { return std::get<1>(GetParam()); }
  Device device() const { return device_; }
  static std::vector<NamedTensor> backbone(const Encoder& encoder) {
    std::vector<NamedTensor> all = encoder.state();
    std::erase_if(all, [](const NamedTensor& entry) { return !entry.name.starts_with("backbone."); });
    return all;
  }
  Tensor initial(const std::string& which, const std::string& name) const {
    return steps_["init.encoder_" + which + "." + published(network(), name)];
  }
  Tensor features(const Encoder& encoder, const std::string& images) const {
    const Tensor tokens = encoder.tokenize(steps_[images] / 256.0);
    return encoder.pool(encoder.encode(tokens, {}, TokenForm::pretraining));
  }
  /// Logits of a step, as the loss plugin makes them.
  Tensor forward(size_t step) {
    const std::string at = "step" + std::to_string(step) + ".";
    nn::follow(key_encoder_->parameters(), query_encoder_->parameters(), 0.99);
    contrast_.follow_queries(0.99);
    const Tensor queries = contrast_.queries(features(*query_encoder_, at + "query_images"));
    Tensor keys;
    {
      const autograd::NoGrad no_grad;
      keys = contrast_.keys(features(*key_encoder_, at + "key_images"));
    }
    EXPECT_LT(relative_error(keys, steps_[at + "keys"]), network().loss) << step;
    contrast_.keep(keys);
    return contrast_.logits(queries, keys);
  }
  void expect_final(const NamedTensor& entry, const std::string& name, const std::string& which) const {
    const Tensor expected = final_["final.encoder_" + which + published(network(), name)];
    EXPECT_LT(relative_error(entry.tensor, expected), network().weights) << which << name;
  }
  void expect_queue(const Tensor& expected, size_t step) const {
    const std::vector<NamedTensor> state = contrast_.state();
    const Tensor queue = std::ranges::find(state, "queue", &NamedTensor::name)->tensor;
    EXPECT_LT(relative_error(ops::permute(queue, {1, 0}), expected), network().loss) << step;
  }
  std::vector<NamedTensor> parameters() const {
    std::vector<NamedTensor> all = query_encoder_->parameters();
    nn::append_state(all, contrast_.parameters());
    return all;
  }

  const Device device_ = testing_support::present(std::get<0>(GetParam()));
  Fixture steps_, final_;
  std::shared_ptr<Encoder> query_encoder_, key_encoder_;
  nn::MomentumContrast contrast_;
};

TEST_P(MocoSteps, GradientsOfTheFirstStep) {
  autograd::backward(nn::MomentumContrast::loss(forward(0)));
  int64_t compared = 0;
  for (const NamedTensor& entry : parameters()) {
    if (!entry.tensor.grad().defined()) continue;
    ++compared;
    const Tensor expected = final_["grad0." + published(network(), entry.name)];
    if (entry.name.ends_with("qkv.bias")) {  // its middle third has no gradient but rounding
      for (const int64_t part : {int64_t{0}, int64_t{2}}) {
        EXPECT_LT(relative_error(entry.tensor.grad().view_rows(48 * part, 48 * part + 48),
                                 expected.view_rows(48 * part, 48 * part + 48)),
                  network().gradients)
            << entry.name;
      }
    } else {
      EXPECT_LT(relative_error(entry.tensor.grad(), expected), network().gradients) << entry.name;
    }
  }
  EXPECT_EQ(compared, static_cast<int64_t>(final_.all("grad0.").size()));
}

TEST_P(MocoSteps, FourSteps) {
  optim::Sgd sgd(parameters(), {.beta1 = 0.9, .weight_decay = 1e-4});
  const std::vector<double> losses = steps_.doubles("loss");
  for (size_t step = 0; step < losses.size(); ++step) {
    const std::string at = "step" + std::to_string(step) + ".";
    const Tensor logits = forward(step);
    EXPECT_LT(relative_error(logits, steps_[at + "logits"]), network().loss) << step;
    const Tensor loss = nn::MomentumContrast::loss(logits);
    EXPECT_NEAR(loss.item() / losses[step], 1.0, network().loss) << step;
    autograd::backward(loss);
    sgd.step({0.03});
    contrast_.enqueue();
    expect_queue(steps_[at + "queue_after"], step);
  }
  for (const auto& [encoder, which] : {std::pair{query_encoder_, "q."}, {key_encoder_, "k."}}) {
    for (const NamedTensor& entry : backbone(*encoder)) expect_final(entry, entry.name, which);
  }
  for (const NamedTensor& entry : contrast_.state()) {
    if (entry.name.starts_with("head.")) expect_final(entry, entry.name, "q.");
    if (entry.name.starts_with("key_head.")) expect_final(entry, entry.name.substr(4), "k.");
    if (entry.name == "oldest") {
      EXPECT_EQ(entry.tensor.to_doubles()[0], final_.doubles("final.queue_ptr")[0]);
    }
  }
  expect_queue(final_["final.queue"], losses.size());
}

INSTANTIATE_TEST_SUITE_P(, MocoSteps, testing::Combine(testing_support::each_backend(), testing::Values(resnet, vit)),
                         [](const auto& row) {
                           return testing_support::name_of(std::get<0>(row.param)) + "_" +
                                  std::get<1>(row.param).plugin;
                         });

}  // namespace
}  // namespace astroclip
