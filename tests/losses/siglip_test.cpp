#include "losses/loss_support.h"
#include "optim/adamw.h"

namespace astroclip {
namespace {

using namespace testing_support;

class Siglip : public testing::Test {
 protected:
  Rng rng_{13, RngStream::tests};
  Tensor a_ = random_tensor({5, 3}, rng_), b_ = random_tensor({5, 3}, rng_);
};

TEST_F(Siglip, AsksOfEveryPairWhetherItIsOneGalaxy) {
  const Rows s = cosines(rows_of(a_), rows_of(b_));
  double expected = 0.0;
  for (size_t i = 0; i < 5; ++i) {
    for (size_t j = 0; j < 5; ++j) {
      const double sign = i == j ? 1.0 : -1.0;
      expected += std::log1p(std::exp(-sign * (4.0 * s[i][j] - 1.5))) / 5.0;
    }
  }
  EXPECT_NEAR(loss_value("siglip", "logit_scale = 4.0\nlogit_bias = -1.5", a_, b_), expected, 1e-12);
}

TEST_F(Siglip, Gradients) { expect_loss_gradients("siglip", "logit_scale = 4.0\nlogit_bias = -1.5", a_, b_, rng_); }

TEST_F(Siglip, NoDecayPullsScaleAndBias) {
  PlainEngine engine = engine_of(a_, b_);
  const auto loss = ready_loss("siglip", "", engine);
  optim::Adamw adamw(loss->parameters(), {.weight_decay = 0.5});
  for (NamedTensor& entry : loss->parameters()) {
    entry.tensor.set_grad(Tensor::zeros(entry.tensor.shape(), entry.tensor.dtype(), entry.tensor.device()));
  }
  adamw.step({0.1});  // with gradients of 0 only decay could move them
  EXPECT_EQ(loss->parameters().at(0).tensor.item(), std::log(10.0));
  EXPECT_EQ(loss->parameters().at(1).tensor.item(), -10.0);
}

}  // namespace
}  // namespace astroclip
