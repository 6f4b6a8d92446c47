#include "autograd/tape.h"
#include "losses/loss_support.h"
#include "optim/adamw.h"

namespace astroclip {
namespace {

using namespace testing_support;

class Clip : public testing::Test {
 protected:
  Rng rng_{11, RngStream::tests};
  Tensor a_ = random_tensor({5, 3}, rng_), b_ = random_tensor({5, 3}, rng_);
};

TEST_F(Clip, IsTheMeanCrossEntropyOfBothDirections) {
  constexpr double scale = 4.0;
  const Rows s = cosines(rows_of(a_), rows_of(b_));
  double expected = 0.0;
  for (size_t i = 0; i < 5; ++i) {
    double row = 0.0, column = 0.0;
    for (size_t j = 0; j < 5; ++j) {
      row += std::exp(scale * s[i][j]);
      column += std::exp(scale * s[j][i]);
    }
    expected += (std::log(row) + std::log(column) - 2.0 * scale * s[i][i]) / 10.0;
  }
  EXPECT_NEAR(loss_value("clip", "logit_scale = 4.0", a_, b_), expected, 1e-12);
  EXPECT_NEAR(loss_value("clip", "logit_scale = 4.0\nlearn_logit_scale = true", a_, b_), expected, 1e-12);
}

TEST_F(Clip, Gradients) {
  expect_loss_gradients("clip", "logit_scale = 4.0", a_, b_, rng_);
  expect_loss_gradients("clip", "logit_scale = 4.0\nlearn_logit_scale = true", a_, b_, rng_);
}

TEST_F(Clip, AScaleBeyondTheBoundReturnsToItAndStillLearns) {
  PlainEngine engine = engine_of(a_, b_);
  const auto loss = ready_loss("clip", "logit_scale = 20.0\nlearn_logit_scale = true\nmax_logit_scale = 20.0", engine);
  Tensor log_scale = loss->parameters().at(0).tensor;
  log_scale.mutable_data_as<double>()[0] = std::log(30.0);
  loss->after_update(engine, 0, 2);
  EXPECT_NEAR(log_scale.item(), std::log(20.0), 1e-15);
  autograd::backward(loss->forward(engine).total);
  EXPECT_NE(log_scale.grad().item(), 0.0);

  log_scale.mutable_data_as<double>()[0] = std::log(10.0);
  loss->after_update(engine, 1, 2);
  EXPECT_EQ(log_scale.item(), std::log(10.0));
}

TEST_F(Clip, NoDecayPullsTheScale) {
  PlainEngine engine = engine_of(a_, b_);
  const auto loss = ready_loss("clip", "learn_logit_scale = true", engine);
  optim::Adamw adamw(loss->parameters(), {.weight_decay = 0.5});
  for (NamedTensor& entry : loss->parameters()) {
    entry.tensor.set_grad(Tensor::zeros(entry.tensor.shape(), entry.tensor.dtype(), entry.tensor.device()));
  }
  adamw.step({0.1});  // with a gradient of 0 only decay could move it
  EXPECT_EQ(loss->parameters().at(0).tensor.item(), std::log(15.5));
}

TEST_F(Clip, RefusesWhatIsNoScale) {
  EXPECT_THAT(refusal("clip", "logit_scale = 0.0"), testing::HasSubstr("'logit_scale' = 0.0 is not above 0"));
  EXPECT_THAT(refusal("clip", "logit_scale = 101.0"),
              testing::HasSubstr("'logit_scale' must not exceed 'max_logit_scale'"));
}

}  // namespace
}  // namespace astroclip
