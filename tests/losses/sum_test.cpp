#include "losses/loss_support.h"

namespace astroclip {
namespace {

using namespace testing_support;

class SumLoss : public testing::Test {
 protected:
  Rng rng_{12, RngStream::tests};
  Tensor a_ = random_tensor({5, 3}, rng_), b_ = random_tensor({5, 3}, rng_);
};

constexpr const char* two = "losses = [{ plugin = 'clip', logit_scale = 4.0 }, { plugin = 'vicreg' }]\n";

TEST_F(SumLoss, WeighsEachLoss) {
  const double clip = loss_value("clip", "logit_scale = 4.0", a_, b_), vicreg = loss_value("vicreg", "", a_, b_);
  EXPECT_NEAR(loss_value("sum", two, a_, b_), clip + vicreg, 1e-12);
  EXPECT_NEAR(loss_value("sum", two + std::string("weights = [2.0, 0.5]"), a_, b_), 2.0 * clip + 0.5 * vicreg, 1e-12);
}

TEST_F(SumLoss, NamesTermsByLoss) {
  PlainEngine engine = engine_of(a_, b_);
  const std::string same =
      "losses = [{ plugin = 'clip' }, { plugin = 'clip', logit_scale = 4.0 }, "
      "{ plugin = 'sum', losses = [{ plugin = 'vicreg' }] }]";
  const LossValue value = ready_loss("sum", same, engine)->forward(engine);
  std::vector<std::string> names;
  for (const auto& [name, term] : value.terms) names.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre("clip", "clip_2", "sum", "sum.vicreg", "sum.vicreg.invariance",
                                          "sum.vicreg.variance", "sum.vicreg.covariance"));
  EXPECT_NEAR(value.terms[1].second.item(), loss_value("clip", "logit_scale = 4.0", a_, b_), 1e-12);
}

TEST_F(SumLoss, Gradients) {
  const std::string learned =
      "losses = [{ plugin = 'siglip' }, { plugin = 'vicreg', expander = [4] }]\nweights = [0.3, 2.0]";
  expect_loss_gradients("sum", learned, a_, b_, rng_);
}

TEST_F(SumLoss, RefusesViewsThatDiffer) {
  PlainEngine engine = engine_of(a_, b_);
  const auto loss = ready_loss("sum", "losses = [{ plugin = 'clip' }, { plugin = 'vicreg', augment = false }]", engine);
  EXPECT_THAT([&] { (void)loss->views(engine); },
              testing::ThrowsMessage<Error>("[sum] the losses want different views 'image' ('vicreg' disagrees with "
                                            "those before it): give them the same 'augment'"));
}

TEST_F(SumLoss, RefusesWhatIsNoSum) {
  const auto refusal = [](const std::string& toml) {
    try {
      make_loss("sum", toml);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(refusal(""), "error: [test] 'losses' must name at least one loss");
  EXPECT_EQ(refusal(two + std::string("weights = [1.0]")),
            "error: [test] 'weights' must hold one number for each loss, or none");
  EXPECT_EQ(refusal("losses = [{ plugin = 'clip', logit_skale = 3.0 }]"),
            "test:1:30: error: [test.losses] plugin 'clip' has no parameter 'logit_skale'; did you mean "
            "'logit_scale'?");
  EXPECT_EQ(refusal("losses = [{ plugin = 'sum', losses = [{ plugin = 'clip', augment = 1 }] }]"),
            "test:1:68: error: [test.losses.losses] 'augment' must be true or false, found an integer");
}

}  // namespace
}  // namespace astroclip
