// What a loss may ask for, and towers by name.
#include "train/step_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "plugin/host.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;
using testing_support::small_experiment;

TEST(StepContext, OfAViewThatIsOnlyEmbeddedNothingElseIsGiven) {
  const Experiment experiment = small_experiment({});
  const Model model = testing_support::model_of(experiment);
  const StageSetup setup({experiment, 0}, model);
  const FrozenViews none;
  data::Batch batch;
  batch.rows = {0, 1};
  StepContext context(setup, none, batch, 0, Mode::training);
  EXPECT_THAT(
      [&] { context.tokens("image"); },
      ThrowsMessage<Error>("[stages.stage] the loss asks for more of the view 'image' than its embedding, though "
                           "its request says embedding_only"));
  EXPECT_THAT([&] { context.raw("picture"); },
              ThrowsMessage<Error>("[stages.stage] the loss did not ask for a view 'picture'"));
  EXPECT_THAT([&] { setup.encoder("picture"); },
              ThrowsMessage<Error>("[stages.stage] the loss asks for an encoder 'picture', the stage has image, "
                                   "spectrum"));
}

/// Two encoders of images, told apart by their names, are aligned with one another.
TEST(Towers, SeveralMayTakeOneModality) {
  const std::string text = R"([dataset]
plugin = "simulated_survey"
galaxies = 60
cache = ")" + testing_support::scratch("small") +
                           R"("
[encoders.large]
plugin = "vit"
image = 24
dim = 16
depth = 1
heads = 2
chunks = 1
head = { width = 8, heads = 2 }
[encoders.small]
plugin = "resnet"
image = 32
blocks = [1]
dim = 4
width = 8
[[stages]]
name = "stage"
loss = { plugin = "clip" }
batch = 8
steps = 2
)";
  const Experiment experiment = read_experiment(config::parse_text(text, "e.toml"));
  const auto dataset = experiment.dataset.make();
  const Model model = testing_support::model_of(experiment);
  const StageSetup setup({experiment, 0}, model);
  EXPECT_THAT(setup.towers(), ElementsAre("large", "small"));
  EXPECT_THAT(setup.modalities_of_views(), ElementsAre("image"));
  EXPECT_EQ(setup.view("small").shape, (Shape{3, 32, 32}));
  const double before = model.encoder("small").parameters().front().tensor.to_doubles()[0];
  Trainer trainer({experiment, 0}, model, *dataset);
  while (!trainer.finished()) EXPECT_GT(trainer.step().loss(), 0.0);
  EXPECT_NE(model.encoder("small").parameters().front().tensor.to_doubles()[0], before);
}

}  // namespace
}  // namespace astroclip::train
