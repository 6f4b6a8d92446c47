// Stages that recompute their blocks end with the same bits as those that do not, on each backend, and so does a run
// that changes this in its middle. They take less memory.
#include <gmock/gmock.h>

#include "base/error.h"
#include "config/toml.h"
#include "record/checkpoint.h"
#include "support/devices.h"
#include "support/experiment_text.h"
#include "support/small_experiment.h"
#include "tensor/memory.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

struct Recomputing {
  std::string name;
  std::string encoders;  ///< whose blocks are recomputed
  std::string (*text)(const std::string& device, const std::string& stage);
};

/// One encoder of a plugin that the small experiments lack.
std::string with_encoder(const std::string& encoder, const std::string& loss, const std::string& device,
                         const std::string& stage) {
  return "[experiment]\ndevice = \"" + device + "\"\n[dataset]\nplugin = \"simulated_survey\"\ngalaxies = 40\n" +
         "cache = \"" + testing_support::scratch("small") + "\"\n" + encoder +
         "[[stages]]\nname = \"stage\"\nbatch = 8\nsteps = 4\nloss = " + loss + "\n" + stage +
         "[[tasks]]\nplugin = \"redshift\"\nk = 4\nprobes = [\"knn\"]\n";
}

const Recomputing recomputing[] = {
    {"Dinov2", R"(["image"])",
     [](const std::string& device, const std::string& stage) {
       return testing_support::small_pretraining(
           {.stage = "stochastic_depth = { rate = 0.2 }\n" + stage, .device = device});
     }},
    {"MaskedSpectrum", R"(["spectrum"])",
     [](const std::string& device, const std::string& stage) {
       return with_encoder(
           "[encoders.spectrum]\nplugin = \"specformer\"\nwindow = 200\nstride = 200\ndim = 16\n"
           "depth = 2\nheads = 2\ndropout = 0.1\nhead = { width = 16, heads = 2 }\n",
           R"({ plugin = "masked_spectrum", spans = 3, span_length = 4, random = 0.1 })", device,
           "stochastic_depth = { rate = 0.3, draw = \"independent\" }\naccumulate = 2\n" + stage);
     }},
    {"ClipInMicroBatches", R"(["image", "spectrum"])",
     [](const std::string& device, const std::string& stage) {
       return with_encoder(testing_support::small_towers, R"({ plugin = "clip" })", device,
                           "micro_batch = 3\n" + stage);
     }},
    {"MocoOfAResnet", R"(["image"])",
     [](const std::string& device, const std::string& stage) {
       return with_encoder("[encoders.image]\nplugin = \"resnet\"\nimage = 32\ndim = 8\nblocks = [1, 1]\nwidth = 16\n",
                           R"({ plugin = "moco", queue = 24, groups = 2, width = 8 })", device, stage);
     }},
    {"ConvAttention", R"(["spectrum"])",
     [](const std::string& device, const std::string& stage) {
       return with_encoder("[encoders.spectrum]\nplugin = \"conv_attention\"\nwidth = 16\ndropout = 0.1\n",
                           R"({ plugin = "supervised", encoder = "spectrum" })", device, stage);
     }},
};

struct RecomputingOn {
  DeviceKind kind;
  Precision precision;
  std::string name() const { return testing_support::name_of(kind) + "_" + ::astroclip::name_of(precision); }
};

/// A stage of one of them.
struct Stages {
  Stages(const Recomputing& of, bool recomputes, Device device, Precision precision)
      : experiment(read_experiment(config::parse_text(
            of.text(device.str(), recomputes ? "recompute = " + of.encoders + "\n" : ""), "e.toml"))),
        dataset(experiment.dataset.make()),
        model(testing_support::model_of(experiment)) {
    experiment.precision = precision;
  }
  Trainer trainer(const std::optional<record::Checkpoint>& from = std::nullopt) const {
    return {Stage(experiment, 0), model, *dataset, from};
  }
  Experiment experiment;
  std::shared_ptr<Dataset> dataset;
  Model model;
};

class RecomputingStage : public testing::TestWithParam<std::tuple<Recomputing, RecomputingOn>> {
 protected:
  void SetUp() override {
    if (!backend_of(device_).supports(std::get<1>(GetParam()).precision)) testing_support::skip("no such products");
  }
  Stages stage(bool recomputes) const {
    return {std::get<0>(GetParam()), recomputes, device_, std::get<1>(GetParam()).precision};
  }

 private:
  Device device_ = testing_support::present(std::get<1>(GetParam()).kind);
};

void expect_same_state(const Trainer& found, const Trainer& expected) {
  const std::vector<NamedTensor> a = found.state(), b = expected.state();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].tensor.to_doubles(), b[i].tensor.to_doubles()) << a[i].name;
  }
}

TEST_P(RecomputingStage, EndsWithTheSameBits) {
  const std::string path = testing_support::scratch("middle.safetensors");
  const Stages plain = stage(false), saving = stage(true), changing = stage(true);
  Trainer expected = plain.trainer(), found = saving.trainer();
  for (int step = 0; step < 2; ++step) EXPECT_EQ(found.step().losses, expected.step().losses);
  record::write_checkpoint(path, expected.position(), expected.state());
  Trainer resumed = changing.trainer(record::Checkpoint{path, record::read_position(path)});
  while (!expected.finished()) {
    const StepReport report = expected.step();
    for (Trainer* other : {&found, &resumed}) {
      const StepReport own = other->step();
      EXPECT_EQ(own.losses, report.losses);
      EXPECT_EQ(own.gradient_norm, report.gradient_norm);
    }
  }
  expect_same_state(found, expected);
  expect_same_state(resumed, expected);
}

INSTANTIATE_TEST_SUITE_P(Stages, RecomputingStage,
                         testing::Combine(testing::ValuesIn(recomputing),
                                          testing::Values(RecomputingOn{DeviceKind::reference, Precision::f32},
                                                          RecomputingOn{DeviceKind::cpu, Precision::f32},
                                                          RecomputingOn{DeviceKind::cpu, Precision::bf16},
                                                          RecomputingOn{DeviceKind::cuda, Precision::f32},
                                                          RecomputingOn{DeviceKind::cuda, Precision::bf16})),
                         [](const auto& instance) {
                           return std::get<0>(instance.param).name + "_" + std::get<1>(instance.param).name();
                         });

/// Between forward and backward pass, and at most.
TEST(RecomputingStages, TakeLessMemory) {
  const auto reserved = [](const std::string& recompute) {
    const Experiment experiment = testing_support::small_experiment({.loss = R"({ plugin = "clip" })",
                                                                     .stage = "recompute = " + recompute + "\n",
                                                                     .batch = 32,
                                                                     .steps = 2,
                                                                     .dim = 64});
    Memory& memory = memory_of(experiment.run_device());
    const auto dataset = experiment.dataset.make();
    Model model = testing_support::model_of(experiment);
    Trainer trainer({experiment, 0}, model, *dataset);
    memory.trim();
    const int64_t before = memory.statistics().reserved_bytes;
    while (!trainer.finished()) trainer.step();
    return memory.statistics().reserved_bytes - before;
  };
  EXPECT_LT(reserved(R"(["image", "spectrum"])"), 0.8 * static_cast<double>(reserved("[]")));
}

TEST(RecomputingStages, NeedAnEncoderOfBlocks) {
  const std::string text = with_encoder(
      "photometry = { magnitudes = [\"mag_g\", \"mag_r\"] }\n[encoders.photometry]\nplugin = \"photometry_mlp\"\n",
      R"({ plugin = "supervised", encoder = "photometry", augment = false })", "cpu", "recompute = [\"photometry\"]\n");
  const Experiment experiment = read_experiment(config::parse_text(text, "e.toml"));
  const Model model = testing_support::model_of(experiment);
  EXPECT_THAT(
      [&] {
        StageSetup({experiment, 0}, model);
      },
      testing::ThrowsMessage<Error>("[stages.stage] 'recompute' for encoder 'photometry': there are no blocks "
                                    "that could be recomputed"));
}

}  // namespace
}  // namespace astroclip::train
