// Training with a teacher: DINOv2's loss on small simulated images.
#include <gmock/gmock.h>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/experiment.h"
#include "record/checkpoint.h"
#include "support/small_experiment.h"
#include "train/stage_parameters.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

Experiment experiment_with(const std::string& stage) {
  return read_experiment(config::parse_text(R"([dataset]
plugin = "simulated_survey"
galaxies = 40
cache = ")" + testing_support::scratch("small") +
                                                R"("
[dataset.views.local]
size = 36
[encoders.image]
plugin = "vit"
image = 72
patch = 12
dim = 16
depth = 2
heads = 2
chunks = 1
head = { width = 16, heads = 2 }
[[stages]]
name = "pretraining"
batch = 6
steps = 6
stochastic_depth = { rate = 0.2 }
loss = { plugin = "dinov2", local_crops = 2, prototypes = 32, hidden = 24, bottleneck = 8, teacher_momentum = 0.9, teacher_temperature_warmup = 3 }
)" + stage + "[[tasks]]\nplugin = \"redshift\"\nk = 4\nprobes = [\"knn\"]\n",
                                            "e.toml"));
}

struct Pretraining {
  explicit Pretraining(const std::string& stage = "")
      : experiment(experiment_with(stage)),
        dataset(experiment.dataset.make()),
        model(testing_support::model_of(experiment)),
        trainer({experiment, 0}, model, *dataset) {}

  std::vector<std::vector<double>> values(const std::string& prefix) const {
    std::vector<std::vector<double>> all;
    for (const NamedTensor& entry : trainer.state()) {
      if (entry.name.starts_with(prefix)) all.push_back(entry.tensor.to_doubles());
    }
    return all;
  }

  Experiment experiment;
  std::shared_ptr<Dataset> dataset;
  Model model;
  Trainer trainer;
};

TEST(SelfDistillation, TheTeacherBeginsAsTheStudentAndFollowsIt) {
  Pretraining run;
  EXPECT_EQ(run.values("loss.teacher_head."), run.values("loss.student_head."));
  EXPECT_EQ(run.values("rebuilt.teacher.backbone."), run.values("image_encoder.backbone."));
  const StepReport report = run.trainer.step();
  std::vector<std::string> names;
  for (const auto& [name, value] : report.losses) {
    names.push_back(name);
    EXPECT_TRUE(std::isfinite(value)) << name;
  }
  EXPECT_THAT(names, testing::ElementsAre("loss", "dino_global", "dino_local", "ibot", "koleo", "teacher_entropy",
                                          "mean_teacher_entropy"));
  EXPECT_NE(run.values("rebuilt.teacher.backbone."), run.values("image_encoder.backbone."));
}

TEST(SelfDistillation, TheTeacherIsTheProduct) {
  Pretraining run;
  for (int step = 0; step < 2; ++step) run.trainer.step();
  const auto student = run.values("image_encoder."), teacher = run.values("rebuilt.teacher.");
  {
    const auto scope = run.trainer.use();
    EXPECT_EQ(run.values("image_encoder."), teacher);
  }
  EXPECT_EQ(run.values("image_encoder."), student);
  run.trainer.keep_weights_in_use();
  EXPECT_EQ(run.values("image_encoder."), teacher);
}

/// Teacher, centres, masks and crops go on as if nothing had been.
TEST(SelfDistillation, ResumesBitForBit) {
  Pretraining whole;
  while (!whole.trainer.finished()) whole.trainer.step();
  Pretraining first;
  for (int step = 0; step < 3; ++step) first.trainer.step();
  const std::string path = testing_support::scratch("half.safetensors");
  record::write_checkpoint(path, first.trainer.position(), first.trainer.state());
  Pretraining second;
  Trainer resumed({second.experiment, 0}, second.model, *second.dataset,
                  record::Checkpoint{path, record::read_position(path)});
  while (!resumed.finished()) resumed.step();
  const auto expected = whole.trainer.state(), found = resumed.state();
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].tensor.to_doubles(), expected[i].tensor.to_doubles()) << found[i].name;
  }
}

TEST(SelfDistillation, AnAverageBesideTheTeacherIsRefused) {
  EXPECT_THAT(
      [] { Pretraining run("ema = 0.9\n"); },
      testing::ThrowsMessage<Error>("[stages.pretraining] 'ema' averages the weights of 'image', in whose place "
                                    "loss 'dinov2' gives its own"));
}

/// The published factors of every parameter, from the keys of an experiment.
TEST(SelfDistillation, OptimiserTakesThePublishedFactors) {
  const Pretraining run(R"([stages.optimizer]
decay_vectors = false
layer_decay = 0.9
groups = [
  { match = "image.backbone.patch_embed.*", lr_scale = 0.2 },
  { match = "loss.student_head.last_layer.*", frozen_steps = 2 },
]
)");
  const StageSpec& stage = run.experiment.stages[0];
  const StageSetup setup({run.experiment, 0}, run.model);
  const auto parameters = stage_parameters(stage, run.model, setup.loss());
  const auto scales = optimizer_scales(stage, parameters);
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].name == "image_encoder.backbone.patch_embed.proj.weight") {
      EXPECT_NEAR(scales[i].learning_rate, 0.2 * std::pow(0.9, 3), 1e-12);
    }
    EXPECT_EQ(scales[i].frozen_steps, parameters[i].name.find("student_head.last_layer") != std::string::npos ? 2 : 0);
  }
}

}  // namespace
}  // namespace astroclip::train
