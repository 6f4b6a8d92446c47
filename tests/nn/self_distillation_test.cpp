// The terms of DINOv2 against numbers of the published implementation.
#include "nn/self_distillation.h"

#include "autograd/tape.h"
#include "models/model_support.h"
#include "ops/operators.h"

namespace astroclip::nn {
namespace {

using testing_support::Fixture;
using testing_support::relative_error;

class DinoLosses : public testing_support::OnEachBackend {
 protected:
  const Fixture io{"dino_losses", device()};
};

TEST_P(DinoLosses, CentredSoftmaxAndCrossEntropyOfEveryPair) {
  const Tensor centre = ops::reshape(io["center_after_update"], {96});
  const Tensor targets = centred_softmax(io["teacher"], centre, 0.04);
  EXPECT_LT(relative_error(targets, io["teacher_softmax_centered"]), 1e-5);
  // Three crops of two objects, each against both views of the teacher, whose targets are added.
  const Tensor both = ops::narrow(targets, 0, 0, 2) + ops::narrow(targets, 0, 2, 2);
  Tensor student = io["student"];
  student.set_requires_grad(true);
  const Tensor loss = ops::sum(soft_cross_entropy(student, ops::concat({both, both, both}, 0), 0.1)) / 2.0;
  EXPECT_NEAR(loss.item() / io["dino_loss"].item(), 1.0, 1e-5);
  autograd::backward(loss);
  EXPECT_LT(relative_error(student.grad(), io["grad.student"]), 1e-5);
}

TEST_P(DinoLosses, SinkhornKnoppBalances) {
  const Tensor found = sinkhorn_knopp(io["teacher"], 0.07, 3, single_process());
  EXPECT_LT(relative_error(found, io["sinkhorn"]), 1e-5);
}

/// No prototype is out of reach of float32: exp(1000/0.07) is not.
TEST_P(DinoLosses, SinkhornKnoppIsFiniteForLargeLogits) {
  const Tensor found = sinkhorn_knopp(1000.0 * io["teacher"], 0.07, 3, single_process());
  for (const double value : found.to_doubles()) ASSERT_TRUE(std::isfinite(value));
}

TEST_P(DinoLosses, MaskedPatches) {
  Tensor student = io["ibot.student"];
  student.set_requires_grad(true);
  const Tensor errors = soft_cross_entropy(student, io["ibot.teacher"], 0.1);
  const Tensor loss = ops::sum(errors * io["ibot.masks_weight"]) / 4.0;  // of four images
  EXPECT_NEAR(loss.item() / io["ibot_loss"].item(), 1.0, 1e-5);
  autograd::backward(loss);
  EXPECT_LT(relative_error(student.grad(), io["grad.ibot.student"]), 1e-5);
}

TEST_P(DinoLosses, Koleo) {
  Tensor input = io["koleo.input"];
  input.set_requires_grad(true);
  const Tensor loss = koleo(input);
  EXPECT_NEAR(loss.item() / io["koleo_loss"].item(), 1.0, 1e-5);
  autograd::backward(loss);
  EXPECT_LT(relative_error(input.grad(), io["grad.koleo.input"]), 1e-5);
}

/// Equal rows have no distance; neither value nor gradient may be infinite.
TEST_P(DinoLosses, KoleoOfEqualRowsIsFinite) {
  Tensor input = Tensor::from_host(std::vector<double>{1, 2, 1, 2}, {2, 2}, DType::f32, device());
  if (backend_of(device()).compute_dtype() != DType::f32) input = ops::cast(input, DType::f64);
  input.set_requires_grad(true);
  const Tensor loss = koleo(input);
  autograd::backward(loss);
  EXPECT_TRUE(std::isfinite(loss.item()));
  for (const double value : input.grad().to_doubles()) EXPECT_TRUE(std::isfinite(value));
}

INSTANTIATE_TEST_SUITE_P(Backends, DinoLosses, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip::nn
