// Training with a teacher: DINOv2's loss on small simulated images.
#include <gmock/gmock.h>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/experiment.h"
#include "support/experiment_text.h"
#include "support/small_experiment.h"
#include "train/stage_parameters.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

struct Pretraining {
  explicit Pretraining(const std::string& stage = "")
      : experiment(read_experiment(config::parse_text(
            testing_support::small_pretraining({.stage = "stochastic_depth = { rate = 0.2 }\n" + stage}), "e.toml"))),
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
