// The terms of DINOv2 against numbers of the published implementation.
#include "nn/self_distillation.h"

#include <cmath>
#include <numeric>

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
  Tensor targets = io["teacher"].clone();
  backend_of(device()).softmax(targets, centre, 1.0 / 0.04, targets);
  EXPECT_LT(relative_error(targets, io["teacher_softmax_centered"]), 1e-5);
  // Three crops of two objects, each against both views of the teacher.
  const std::vector<int64_t> both = {0, 2, 1, 3, 0, 2, 1, 3, 0, 2, 1, 3};
  Tensor student = io["student"];
  student.set_requires_grad(true);
  const Tensor against = Tensor::from_host(both, {6, 2}, device());
  const Tensor loss = ops::sum(ops::soft_cross_entropy(student, targets, against, 0.1)) / 2.0;
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
  std::vector<int64_t> own(static_cast<size_t>(student.size(0)));
  std::iota(own.begin(), own.end(), 0);
  const Tensor against = Tensor::from_host(own, {student.size(0), 1}, device());
  const Tensor errors = ops::soft_cross_entropy(student, io["ibot.teacher"], against, 0.1);
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

TEST_P(DinoLosses, PrototypesInUseAreThoseThatSomeRowPrefers) {
  const std::vector<double> rows = {0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.6, 0.3, 0.1, 0.25, 0.25, 0.25};
  const auto of = [&](int64_t count) {
    const std::vector<double> first(rows.begin(), rows.begin() + 3 * count);
    return prototypes_in_use(Tensor::from_host(first, {count, 3}, backend_of(device()).compute_dtype(), device()))
        .item();
  };
  EXPECT_NEAR(of(4), 2.0 / 3.0, 1e-6);  // of equals, the first
  EXPECT_NEAR(of(2), 1.0, 1e-6);        // two rows prefer two at most
}

/// Two prototypes that are the axes of the features: the logits of a feature along one are 1 and 0, and ln 3 as the
/// inverse temperature makes them 3/4 and 1/4.
class TwoPrototypes {
 public:
  TwoPrototypes(Device device, double centre_momentum)
      : device_(device),
        objective_({.head = {.in = 2, .prototypes = 2, .hidden = 2, .bottleneck = 2, .layers = 1},
                    .centre_momentum = centre_momentum,
                    .koleo_weight = 0.0}) {
    objective_.materialize(device, 1);
    for (const char* name : {"head.mlp.0.weight", "head.last_layer.weight_v"}) {
      for (NamedTensor& entry : objective_.state()) {
        if (entry.name.ends_with(name)) entry.tensor.copy_from(tensor({1, 0, 0, 1}, {2, 2}));
      }
    }
  }
  Tensor tensor(const std::vector<double>& values, const Shape& shape) const {
    return Tensor::from_host(values, shape, backend_of(device_).compute_dtype(), device_);
  }
  /// Of one object, whose two crops have these features.
  SelfDistillation::Terms operator()(const std::vector<double>& crops) {
    const Tensor features = tensor(crops, {2, 2});
    return objective_({features, {}, {}}, {features, {}, {}}, {}, 1.0 / std::log(3.0), single_process());
  }
  SelfDistillation& objective() { return objective_; }

 private:
  Device device_;
  SelfDistillation objective_;
};

void expect_entropies(const SelfDistillation::Terms& terms, double of_each, double of_mean) {
  EXPECT_NEAR(terms.entropy.item(), of_each, 1e-5);
  EXPECT_NEAR(terms.mean_entropy.item(), of_mean, 1e-5);
}

TEST_P(DinoLosses, EntropiesOfTheTeacherAreThoseOfItsAnswers) {
  const double even = std::log(2.0), of_quarters = 2.0 * std::log(2.0) - 0.75 * std::log(3.0);
  TwoPrototypes uncentred(device(), 1.0), centred(device(), 0.9);
  const std::vector<double> apart = {1, 0, 0, 1}, same = {2, 0, 3, 0};
  {
    const autograd::NoGrad looking;
    expect_entropies(uncentred(apart), of_quarters, even);
    expect_entropies(uncentred(same), of_quarters, of_quarters);
    expect_entropies(centred(same), of_quarters, of_quarters);  // there is no centre yet
  }
  EXPECT_EQ(centred.objective().centre_norm().item(), 0.0);
  expect_entropies(centred(same), of_quarters, of_quarters);
  centred.objective().update(1.0);
  EXPECT_NEAR(centred.objective().centre_norm().item(), 0.1, 1e-6);
  const autograd::NoGrad looking;
  // Logits 0.9 and 0: probabilities in the proportion of 3 to the power 0.9.
  const double larger = std::pow(3.0, 0.9) / (std::pow(3.0, 0.9) + 1.0);
  const double entropy = -larger * std::log(larger) - (1.0 - larger) * std::log(1.0 - larger);
  expect_entropies(centred(same), entropy, entropy);
}

INSTANTIATE_TEST_SUITE_P(Backends, DinoLosses, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip::nn
