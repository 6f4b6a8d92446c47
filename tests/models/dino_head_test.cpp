// DINO's head against numbers of the published implementation.
#include "nn/dino_head.h"

#include "autograd/tape.h"
#include "models/model_support.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::relative_error;

class DinoHeadFixture : public testing_support::OnEachBackend {};

TEST_P(DinoHeadFixture, OutputAndEveryGradientByName) {
  const Fixture io("dino_head", device());
  nn::DinoHead head({.in = 48, .prototypes = 96, .hidden = 64, .bottleneck = 24, .layers = 3});
  head.materialize(device(), 1);
  const nn::LoadReport report = nn::load_state(head.state(), io.all("weights."));
  ASSERT_TRUE(report.complete() && report.unexpected.empty());
  Tensor input = io["input"];
  input.set_requires_grad(true);
  const Tensor output = head(input);
  EXPECT_LT(relative_error(output, io["output"]), 1e-5);
  autograd::backward(output, io["grad_output"]);
  EXPECT_LT(relative_error(input.grad(), io["grad_input"]), 1e-5);
  const auto parameters = head.parameters();
  EXPECT_EQ(parameters.size(), 8U);
  for (const NamedTensor& entry : parameters) {
    EXPECT_LT(relative_error(entry.tensor.grad(), io["grad." + entry.name]), 1e-5) << entry.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, DinoHeadFixture, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
