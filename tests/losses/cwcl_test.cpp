#include "autograd/tape.h"
#include "losses/loss_support.h"

namespace astroclip {
namespace {

using namespace testing_support;

class Cwcl : public testing::Test {
 protected:
  /// The two directions written out, p being the reference, with weights of a reference `w`.
  static double expected(const Rows& p, const Rows& q, const Rows& w, double scale) {
    const Rows s = cosines(p, q);
    const auto n = static_cast<double>(p.size());
    double weighted = 0.0, back = 0.0;
    for (size_t i = 0; i < p.size(); ++i) {
      double row = 0.0, column = 0.0, sum = 0.0, weights = 0.0;
      for (size_t k = 0; k < p.size(); ++k) {
        row += std::exp(scale * s[i][k]);
        column += std::exp(scale * s[k][i]);
      }
      for (size_t j = 0; j < p.size(); ++j) {
        const double weight = cosine(w[i], w[j]) / 2.0 + 0.5;
        weights += weight;
        sum += weight * std::log(std::exp(scale * s[i][j]) / row);
      }
      weighted -= sum / weights / n;
      back -= std::log(std::exp(scale * s[i][i]) / column) / n;
    }
    return 0.5 * (weighted + back);
  }

  Rng rng_{14, RngStream::tests};
  Tensor a_ = random_tensor({4, 3}, rng_), b_ = random_tensor({4, 3}, rng_);
};

TEST_F(Cwcl, WeightsPairsByTheReferencesSimilarities) {
  const Rows a = rows_of(a_), b = rows_of(b_);
  EXPECT_NEAR(loss_value("cwcl", "logit_scale = 3.0", a_, b_), expected(a, b, a, 3.0), 1e-12);
  EXPECT_NEAR(loss_value("cwcl", "logit_scale = 3.0\nreference = \"spectrum\"", a_, b_), expected(b, a, b, 3.0), 1e-12);
}

// The weights carry no gradient: the differences are those of the sum above with weights that stand still.
TEST_F(Cwcl, GradientsAtGivenWeights) {
  a_.set_requires_grad(true);
  b_.set_requires_grad(true);
  PlainEngine engine = engine_of(a_, b_);
  const auto loss = ready_loss("cwcl", "logit_scale = 3.0\nlearn_logit_scale = true", engine);
  autograd::backward(loss->forward(engine).total);

  const Rows a = rows_of(a_), b = rows_of(b_), gradient_a = rows_of(a_.grad()), gradient_b = rows_of(b_.grad());
  constexpr double step = 1e-5;
  for (size_t i = 0; i < 4; ++i) {
    for (size_t k = 0; k < 3; ++k) {
      Rows up = a, down = a;
      up[i][k] += step;
      down[i][k] -= step;
      EXPECT_NEAR(gradient_a[i][k], (expected(up, b, a, 3.0) - expected(down, b, a, 3.0)) / (2 * step), 1e-8);
      up = down = b;
      up[i][k] += step;
      down[i][k] -= step;
      EXPECT_NEAR(gradient_b[i][k], (expected(a, up, a, 3.0) - expected(a, down, a, 3.0)) / (2 * step), 1e-8);
    }
  }
  const double up = expected(a, b, a, 3.0 * std::exp(step)), down = expected(a, b, a, 3.0 * std::exp(-step));
  EXPECT_NEAR(loss->parameters().at(0).tensor.grad().item(), (up - down) / (2 * step), 1e-8);
}

TEST_F(Cwcl, RefusesAReferenceTheStageHasNot) {
  PlainEngine engine = engine_of(a_, b_);
  const auto loss = make_loss("cwcl", "reference = \"lightcurve\"");
  EXPECT_THAT([&] { loss->attach(engine); },
              testing::ThrowsMessage<Error>(
                  "[cwcl] 'reference' must be one of the stage's encoders image, spectrum, found 'lightcurve'"));
  EXPECT_THAT(refusal("cwcl", "logit_scale = -1.0"), testing::HasSubstr("'logit_scale' = -1.0 is not above 0"));
}

}  // namespace
}  // namespace astroclip
