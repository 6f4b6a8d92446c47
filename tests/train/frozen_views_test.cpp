// Which features of frozen backbones a stage takes from the cache, and that they are those it would compute.
#include "train/frozen_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "ops/operators.h"
#include "plugin/host.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::scratch;
using testing_support::Small;
using testing_support::small_experiment;

constexpr int64_t plenty = int64_t{1} << 30;

/// Embeds the spectrum and looks at what was measured of it.
class WithCompanion final : public Loss {
 public:
  std::vector<ViewRequest> views(const LossSetup&) const override {
    return {{.name = "spectrum", .tower = "spectrum", .embedding_only = true},
            {.name = "observed", .tower = "spectrum", .field = "spectrum", .with = "spectrum"}};
  }
  void attach(LossSetup&) override {}
  LossValue forward(LossContext& context) override {
    return {ops::mean(context.embed("spectrum")) + 0.0 * ops::mean(context.raw("observed")), {}};
  }
};

/// A stage whose tokens are kept in a fresh folder.
class Frozen {
 public:
  explicit Frozen(const Small& small)
      : experiment_(small_experiment(small)),
        dataset_(experiment_.dataset.make()),
        model_(testing_support::model_of(experiment_)),
        cache_(experiment_, *dataset_, {}, fresh_folder(), plenty, nullptr) {}

  void use(const std::shared_ptr<Loss>& loss) {
    experiment_.stages[0].loss.make = [loss] { return loss; };
  }
  /// Views that are taken from the cache in batches of `batch` objects.
  std::vector<std::string> kept(int64_t batch = 8) {
    const StageSetup setup({experiment_, 0}, model_);
    const FrozenViews views(setup, cache_);
    std::vector<std::string> names;
    for (const data::ViewPlan& view : setup.views()) {
      if (views.find(view.request.name, batch) != nullptr) names.push_back(view.request.name);
    }
    std::vector<int64_t> rows(static_cast<size_t>(batch));
    std::iota(rows.begin(), rows.end(), 0);
    const data::LoaderOptions options{.batch = batch, .steps = 1};
    const data::Batch read = views.loader(setup, *dataset_, rows, options)->next();
    for (const data::ViewPlan& view : setup.views()) {
      EXPECT_NE(read.views.contains(view.request.name), read.kept.contains(view.request.name)) << view.request.name;
    }
    EXPECT_EQ(read.kept.size(), names.size());
    return names;
  }

  /// The losses of a whole stage, and weights at its end.
  std::vector<double> train(bool cached) {
    const Model model = testing_support::model_of(experiment_);
    Trainer trainer({experiment_, 0}, model, *dataset_, std::nullopt, cached ? &cache_ : nullptr);
    std::vector<double> numbers;
    while (!trainer.finished()) {
      if (trainer.validation_due()) numbers.push_back(trainer.validate().metrics.front().second);
      numbers.push_back(trainer.step().loss());
    }
    for (const NamedTensor& entry : model.state()) {
      const std::vector<double> values = entry.tensor.to_doubles();
      numbers.insert(numbers.end(), values.begin(), values.end());
    }
    return numbers;
  }

 private:
  static std::string fresh_folder() {
    const std::string folder = scratch("frozen_views");
    std::filesystem::remove_all(folder);
    return folder;
  }

  Experiment experiment_;
  std::shared_ptr<Dataset> dataset_;
  Model model_;
  evaluate::TokenCache cache_;
};

constexpr const char* plain_clip = R"({ plugin = "clip", augment = false })";
const std::string both_frozen = "freeze = [\"image.backbone\", \"spectrum.backbone\"]\n";

TEST(FrozenViews, AreThoseWhoseFeaturesAreTheSameAtEveryStep) {
  // The image's backbone drops units; the heads of both do, which is behind the features.
  EXPECT_THAT(Frozen({.loss = plain_clip, .stage = both_frozen}).kept(), ElementsAre("spectrum"));
  EXPECT_THAT(Frozen({.loss = plain_clip, .stage = both_frozen, .dropout = 0.0}).kept(),
              ElementsAre("image", "spectrum"));
  EXPECT_THAT(Frozen({.loss = plain_clip, .stage = "freeze = [\"image.backbone\"]\n", .dropout = 0.0}).kept(),
              ElementsAre("image"));
  EXPECT_THAT(Frozen({.loss = R"({ plugin = "clip" })", .stage = both_frozen, .dropout = 0.0}).kept(), IsEmpty());
  EXPECT_THAT(Frozen({.loss = plain_clip, .stage = both_frozen + "micro_batch = 2\n", .dropout = 0.0}).kept(),
              IsEmpty());
  EXPECT_THAT(Frozen({.loss = plain_clip, .stage = both_frozen, .dropout = 0.0}).kept(7), IsEmpty());
  Small masked;
  masked.loss = R"({ plugin = "masked_spectrum", spans = 3, span_length = 4 })";
  masked.encoders = R"(["spectrum"])";
  masked.stage = "freeze = [\"spectrum.backbone\"]\n";
  EXPECT_THAT(Frozen(masked).kept(), IsEmpty());  // it hides tokens
}

TEST(FrozenViews, AreNotThoseThatAnotherViewGoesWith) {
  Frozen stage({.stage = both_frozen, .steps = 1, .dropout = 0.0});
  stage.use(std::make_shared<WithCompanion>());
  EXPECT_THAT(stage.kept(), IsEmpty());
  EXPECT_THAT(stage.train(true), testing::SizeIs(testing::Gt(1U)));  // neither view is missing
}

TEST(FrozenViews, ChangeNoBitOfTraining) {
  Frozen stage({.loss = plain_clip, .stage = both_frozen + "validation = { every = 4 }\n", .dropout = 0.1});
  ASSERT_THAT(stage.kept(), ElementsAre("spectrum"));
  EXPECT_EQ(stage.train(true), stage.train(false));
}

}  // namespace
}  // namespace astroclip::train
