#include "api/composite_loss.h"

#include "losses/loss_support.h"
#include "ops/operators.h"

namespace astroclip {
namespace {

using namespace testing_support;

/// From one loss to another in the course of the stage.
class Fading final : public CompositeLoss {
 public:
  Fading() {
    add_part("first", make_loss("clip"));
    add_part("second", make_loss("vicreg"));
  }

 private:
  Tensor combined(const std::vector<Tensor>& totals, const LossContext& context) const override {
    const double share = static_cast<double>(context.step()) / static_cast<double>(context.steps());
    return (1.0 - share) * totals[0] + share * totals[1];
  }
};

TEST(CompositeLoss, CombinesTheTotalsAsTheStepSays) {
  Rng rng{13, RngStream::tests};
  const Tensor a = random_tensor({5, 3}, rng), b = random_tensor({5, 3}, rng);
  const double clip = loss_value("clip", "", a, b), vicreg = loss_value("vicreg", "", a, b);
  PlainEngine engine = engine_of(a, b);
  Fading loss;
  loss.attach(engine);
  loss.materialize(reference_device, 1);
  EXPECT_NEAR(loss.forward(engine).total.item(), clip, 1e-12);
  engine.set_step(3, 4);
  const LossValue value = loss.forward(engine);
  EXPECT_NEAR(value.total.item(), 0.25 * clip + 0.75 * vicreg, 1e-12);
  EXPECT_EQ(value.terms.front().first, "first");
  EXPECT_NEAR(value.terms.front().second.item(), clip, 1e-12);
}

}  // namespace
}  // namespace astroclip
