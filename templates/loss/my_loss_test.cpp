#include <gtest/gtest.h>
#include <testing/gradient_check.h>
#include <testing/plain_engine.h>
#include <testing/plugins.h>

namespace {

using namespace astroclip;
using namespace astroclip::testing_support;

/// The loss on the embeddings `a` and `b` [B, E] of two encoders, in float64.
class MyLossTest : public testing::Test {
 protected:
  void attach(const std::string& toml) {
    PlainEngine engine = engine_of(a_, b_);
    loss_ = make_loss("my_loss", toml);
    loss_->attach(engine);
    loss_->materialize(reference_device, 1);
  }
  Tensor total() const {
    PlainEngine engine = engine_of(a_, b_);
    return loss_->forward(engine).total;
  }

  Rng rng_{1, RngStream::tests};
  Tensor a_ = random_tensor({4, 3}, rng_), b_ = random_tensor({4, 3}, rng_);
  std::shared_ptr<Loss> loss_;
};

TEST_F(MyLossTest, IsTheMeanHingeOverPairsOfDifferentObjects) {
  // Two objects with embeddings along the axes; only b₁ lies between them, at a cosine of 0.6 with a₀.
  a_ = Tensor::from_host(std::vector<double>{1, 0, 0, 1}, {2, 2}, DType::f64, reference_device);
  b_ = Tensor::from_host(std::vector<double>{1, 0, 0.6, 0.8}, {2, 2}, DType::f64, reference_device);
  attach("margin = 0.5");
  // From a: 0.5 + 0.6 − 1 and max(0, 0.5 + 0 − 0.8). From b: max(0, 0.5 + 0 − 1) and 0.5 + 0.6 − 0.8.
  EXPECT_NEAR(total().item(), 0.5 * (0.1 / 2.0 + 0.3 / 2.0), 1e-12);
}

TEST_F(MyLossTest, GradientsAgreeWithCentralDifferences) {
  attach("margin = 0.3");
  std::vector<NamedTensor> tensors = loss_->parameters();
  tensors.push_back({"a", a_});
  tensors.push_back({"b", b_});
  EXPECT_EQ(gradient_errors([&] { return total(); }, tensors, rng_), "");
}

TEST_F(MyLossTest, RefusesAMarginThatNoCosinesReach) { EXPECT_THROW(attach("margin = 2.5"), Error); }

}  // namespace
