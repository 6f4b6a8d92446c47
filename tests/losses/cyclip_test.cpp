#include "losses/loss_support.h"

namespace astroclip {
namespace {

using namespace testing_support;

class Cyclip : public testing::Test {
 protected:
  Rng rng_{13, RngStream::tests};
  Tensor a_ = random_tensor({4, 3}, rng_), b_ = random_tensor({4, 3}, rng_);
};

TEST_F(Cyclip, AddsBothInconsistenciesToTheContrastiveLoss) {
  const Rows a = rows_of(a_), b = rows_of(b_);
  double in_modal = 0.0, cross_modal = 0.0;
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 4; ++j) {
      in_modal += square(cosine(a[i], a[j]) - cosine(b[i], b[j])) / 4.0;
      cross_modal += square(cosine(a[i], b[j]) - cosine(a[j], b[i])) / 4.0;
    }
  }
  const double clip = loss_value("clip", "logit_scale = 3.0", a_, b_);
  EXPECT_NEAR(loss_value("cyclip", "logit_scale = 3.0", a_, b_), clip + 0.25 * (in_modal + cross_modal), 1e-12);
  EXPECT_NEAR(loss_value("cyclip", "logit_scale = 3.0\nin_modal = 2.0\ncross_modal = 0.0", a_, b_),
              clip + 2.0 * in_modal, 1e-12);
}

TEST_F(Cyclip, Gradients) {
  expect_loss_gradients("cyclip", "logit_scale = 3.0\nlearn_logit_scale = true\nin_modal = 0.7", a_, b_, rng_);
}

TEST_F(Cyclip, RefusesNegativeWeights) {
  EXPECT_THAT(refusal("cyclip", "in_modal = -0.1"), testing::HasSubstr("'in_modal' = -0.1"));
  EXPECT_THAT(refusal("cyclip", "cross_modal = -0.1"), testing::HasSubstr("'cross_modal' = -0.1"));
  EXPECT_THAT(refusal("cyclip", "logit_scale = 101.0"),
              testing::HasSubstr("'logit_scale' must not exceed 'max_logit_scale'"));
}

}  // namespace
}  // namespace astroclip
