#include <algorithm>

#include "autograd/tape.h"
#include "losses/loss_support.h"

namespace astroclip {
namespace {

using namespace testing_support;

class HardNegatives : public testing::Test {
 protected:
  /// One direction as published, in exponentials.
  static double one_way(const Rows& cosine, double scale, double beta, double tau_plus) {
    const size_t n = cosine.size();
    const auto negatives = static_cast<double>(n - 1);
    double loss = 0.0;
    for (size_t i = 0; i < n; ++i) {
      const double partner = std::exp(scale * cosine[i][i]);
      double importance = 0.0, weighted = 0.0;
      for (size_t j = 0; j < n; ++j) {
        if (j == i) continue;
        importance += std::exp(beta * scale * cosine[i][j]) / negatives;
        weighted += std::exp(beta * scale * cosine[i][j]) * std::exp(scale * cosine[i][j]);
      }
      const double sum = std::max((weighted / importance - tau_plus * negatives * partner) / (1.0 - tau_plus),
                                  negatives * std::exp(-scale));
      loss -= std::log(partner / (partner + sum)) / static_cast<double>(n);
    }
    return loss;
  }
  double expected(double scale, double beta, double tau_plus) const {
    const Rows a = rows_of(a_), b = rows_of(b_);
    return 0.5 * (one_way(cosines(a, b), scale, beta, tau_plus) + one_way(cosines(b, a), scale, beta, tau_plus));
  }

  Rng rng_{15, RngStream::tests};
  Tensor a_ = random_tensor({6, 3}, rng_), b_ = random_tensor({6, 3}, rng_);
};

TEST_F(HardNegatives, IsThePublishedSum) {
  EXPECT_NEAR(loss_value("hard_negatives", "logit_scale = 3.0", a_, b_), expected(3.0, 1.0, 0.0), 1e-12);
  EXPECT_NEAR(loss_value("hard_negatives", "logit_scale = 3.0\nbeta = 2.5\ntau_plus = 0.1", a_, b_),
              expected(3.0, 2.5, 0.1), 1e-12);
  // A prior so large that the floor holds.
  EXPECT_NEAR(loss_value("hard_negatives", "logit_scale = 1.0\ntau_plus = 0.9", a_, b_), expected(1.0, 1.0, 0.9),
              1e-12);
}

TEST_F(HardNegatives, WithoutConcentrationAndPriorIsClip) {
  EXPECT_NEAR(loss_value("hard_negatives", "logit_scale = 3.0\nbeta = 0.0", a_, b_),
              loss_value("clip", "logit_scale = 3.0", a_, b_), 1e-12);
}

TEST_F(HardNegatives, Gradients) {
  expect_loss_gradients("hard_negatives", "logit_scale = 3.0\nlearn_logit_scale = true\nbeta = 1.5", a_, b_, rng_);
  expect_loss_gradients("hard_negatives", "logit_scale = 3.0\nlearn_logit_scale = true\ntau_plus = 0.1", a_, b_, rng_);
  expect_loss_gradients("hard_negatives", "logit_scale = 1.0\nlearn_logit_scale = true\ntau_plus = 0.9", a_, b_, rng_);
}

TEST_F(HardNegatives, SinglePrecisionHoldsAtTheLargestScale) {
  const Device cpu{DeviceKind::cpu};
  const char* toml = "logit_scale = 100.0\nbeta = 2.0\ntau_plus = 0.1";
  const auto narrow = [&](const Tensor& x) { return Tensor::from_host(x.to_floats(), x.shape(), DType::f32, cpu); };
  Tensor a = narrow(a_), b = narrow(b_);
  a.set_requires_grad(true);
  PlainEngine engine = engine_of(a, b);
  const auto loss = make_loss("hard_negatives", toml);
  loss->attach(engine);
  const Tensor total = loss->forward(engine).total;
  autograd::backward(total);
  EXPECT_NEAR(total.item() / loss_value("hard_negatives", toml, a_, b_), 1.0, 1e-5);
  for (const double gradient : a.grad().to_doubles()) EXPECT_TRUE(std::isfinite(gradient));
}

TEST_F(HardNegatives, Refusals) {
  EXPECT_THAT(refusal("hard_negatives", "beta = -1.0"), testing::HasSubstr("'beta' = -1.0"));
  EXPECT_THAT(refusal("hard_negatives", "tau_plus = 1.0"), testing::HasSubstr("'tau_plus' = 1.0 is outside 0..0.99"));
  EXPECT_THAT([&] { loss_value("hard_negatives", "", a_.view_rows(0, 1), b_.view_rows(0, 1)); },
              testing::ThrowsMessage<Error>("[hard_negatives] needs a batch of at least 2 objects, found 1"));
}

}  // namespace
}  // namespace astroclip
