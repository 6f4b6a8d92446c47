#include "autograd/tape.h"
#include "losses/loss_support.h"

namespace astroclip {
namespace {

using namespace testing_support;

Tensor column(const std::vector<double>& values) {
  return Tensor::from_host(values, {static_cast<int64_t>(values.size())}, DType::f64, reference_device);
}

class Supervised : public testing::Test {
 protected:
  std::shared_ptr<Loss> ready(const std::string& toml) {
    PlainEngine engine = engine_of(a_, b_);
    return ready_loss("supervised", toml, engine);
  }
  static std::vector<double> buffer(const Loss& loss, const std::string& name) {
    for (const NamedTensor& entry : loss.state()) {
      if (entry.name == name) return entry.tensor.to_doubles();
    }
    return {};
  }

  static constexpr const char* two_labels =
      "labels = [\"redshift\", \"mass\"]\nmean = [0.3, 10.0]\ndeviation = [0.2, 0.5]\n";
  const double unknown_ = std::nan("");
  Rng rng_{18, RngStream::tests};
  Tensor a_ = random_tensor({4, 3}, rng_), b_ = random_tensor({4, 3}, rng_);
  const std::vector<double> redshift_ = {0.1, 0.4, 0.2, 0.6}, mass_ = {9.5, unknown_, 10.25, unknown_};
  const Labels labels_ = {{"redshift", column(redshift_)}, {"mass", column(mass_)}};
};

TEST_F(Supervised, IsTheMeanSquaredErrorOfKnownStandardisedLabels) {
  const auto loss = ready(two_labels);
  PlainEngine engine = engine_of(a_, b_, labels_);
  const LossValue value = loss->forward(engine);

  const Rows x = rows_of(a_), weight = rows_of(loss->parameters().at(0).tensor);
  const std::vector<double> bias = loss->parameters().at(1).tensor.to_doubles();
  double redshift = 0.0, mass = 0.0;
  for (size_t i = 0; i < 4; ++i) {
    redshift += square(dot(x[i], weight[0]) + bias[0] - (redshift_[i] - 0.3) / 0.2) / 4.0;
    if (std::isfinite(mass_[i])) mass += square(dot(x[i], weight[1]) + bias[1] - (mass_[i] - 10.0) / 0.5) / 2.0;
  }
  EXPECT_NEAR(value.total.item(), 0.5 * (redshift + mass), 1e-6);
  ASSERT_EQ(value.roots.size(), 2U);
  EXPECT_EQ(value.roots[0].name, "rms_error.redshift");
  EXPECT_NEAR(value.roots[0].mean_square.item(), redshift, 1e-6);
  EXPECT_EQ(value.roots[0].unit, 0.2);
  EXPECT_EQ(value.roots[0].objects, 4.0);
  EXPECT_EQ(value.roots[1].name, "rms_error.mass");
  EXPECT_NEAR(value.roots[1].mean_square.item(), mass, 1e-6);
  EXPECT_EQ(value.roots[1].objects, 2.0);
  EXPECT_TRUE(value.of_single_objects);
}

TEST_F(Supervised, LooksAtTheModalityNamed) {
  const auto loss = ready("encoder = \"spectrum\"");
  PlainEngine engine = engine_of(a_, b_, labels_), other = engine_of(b_, a_, labels_);
  EXPECT_NE(loss->forward(engine).total.item(), loss->forward(other).total.item());
  EXPECT_EQ(loss->views(engine).at(0).tower, "spectrum");
  EXPECT_THAT(loss->labels(), testing::ElementsAre("redshift"));
}

TEST_F(Supervised, Gradients) {
  for (const std::string head : {"", "hidden = [5, 4]"}) {
    const auto loss = ready(two_labels + head);
    expect_loss_gradients(
        "supervised", *loss, {a_.clone()}, [&](const std::vector<Tensor>& at) { return engine_of(at[0], b_, labels_); },
        rng_);
  }
}

TEST_F(Supervised, NothingKnownIsNoLossAndNoGradient) {
  Tensor a = a_.clone();
  a.set_requires_grad(true);
  const auto loss = ready("");
  loss->set_training(true);
  PlainEngine engine = engine_of(a, b_, {{"redshift", column(std::vector<double>(4, unknown_))}});
  const Tensor total = loss->forward(engine).total;
  autograd::backward(total);
  EXPECT_EQ(total.item(), 0.0);
  for (const double gradient : a.grad().to_doubles()) EXPECT_EQ(gradient, 0.0);
  EXPECT_THAT(buffer(*loss, "seen"), testing::ElementsAre(0.0));
  EXPECT_THAT(buffer(*loss, "variance"), testing::ElementsAre(1.0));
}

TEST_F(Supervised, StandardisesByAllThatTrainingHasSeen) {
  const auto loss = ready("");
  const auto see = [&](const std::vector<double>& redshifts) {
    PlainEngine engine = engine_of(a_, b_, {{"redshift", column(redshifts)}});
    loss->forward(engine);
  };
  see({5, 5, 5, 5});  // not in training: not seen
  loss->set_training(true);
  see({0.1, unknown_, 0.7, 0.4});
  see({2.0, 1.0, 0.3, 0.5});
  // 0.1, 0.7, 0.4, 2, 1, 0.3 and 0.5 add up to 5, their squares to 6.
  EXPECT_THAT(buffer(*loss, "seen"), testing::ElementsAre(7.0));
  EXPECT_THAT(buffer(*loss, "mean"), testing::ElementsAre(testing::DoubleNear(5.0 / 7.0, 1e-14)));
  EXPECT_THAT(buffer(*loss, "variance"), testing::ElementsAre(testing::DoubleNear((6.0 - 25.0 / 7.0) / 7.0, 1e-14)));

  loss->set_training(false);
  PlainEngine engine = engine_of(a_, b_, labels_);
  PlainEngine setup = engine_of(a_, b_);
  const auto given = ready_loss("supervised",
                                "mean = [" + std::to_string(5.0 / 7.0) + "]\ndeviation = [" +
                                    std::to_string(std::sqrt((6.0 - 25.0 / 7.0) / 7.0)) + "]",
                                setup);
  EXPECT_NEAR(loss->forward(engine).total.item(), given->forward(engine).total.item(), 1e-4);
}

/// A validation before the first step is in the same unit as later ones: whatever the label's.
TEST_F(Supervised, StandardisesBeforeTrainingByWhatItSeesFirst) {
  const auto loss_of = [&](double scale, double shift) {
    const auto loss = ready("");
    std::vector<double> losses;
    for (const std::vector<double>& batch : {redshift_, std::vector<double>{0.3, 0.9, unknown_, 0.1}}) {
      std::vector<double> values;
      for (const double z : batch) values.push_back(scale * z + shift);
      PlainEngine engine = engine_of(a_, b_, {{"redshift", column(values)}});
      losses.push_back(loss->forward(engine).total.item());
    }
    EXPECT_THAT(buffer(*loss, "seen"), testing::ElementsAre(0.0));
    return losses;
  };
  const std::vector<double> plain = loss_of(1.0, 0.0), scaled = loss_of(0.001, 50.0);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(plain[i], scaled[i], 1e-5);
  // As with mean and deviation of the first batch.
  PlainEngine setup = engine_of(a_, b_), engine = engine_of(a_, b_, labels_);
  const double mean = (0.1 + 0.4 + 0.2 + 0.6) / 4.0, square = (0.01 + 0.16 + 0.04 + 0.36) / 4.0;
  const auto given = ready_loss(
      "supervised",
      "mean = [" + std::to_string(mean) + "]\ndeviation = [" + std::to_string(std::sqrt(square - mean * mean)) + "]",
      setup);
  EXPECT_NEAR(plain[0], given->forward(engine).total.item(), 1e-4);
}

TEST_F(Supervised, Refusals) {
  EXPECT_THAT(refusal("supervised", "labels = []"), testing::HasSubstr("'labels' must name at least one label"));
  const char* both = "'mean' and 'deviation' must both hold one number for each label, or none";
  EXPECT_THAT(refusal("supervised", "mean = [0.1]"), testing::HasSubstr(both));
  EXPECT_THAT(refusal("supervised", "mean = [0.1, 1.0]\ndeviation = [0.1, 1.0]"), testing::HasSubstr(both));
  EXPECT_THAT(refusal("supervised", "mean = [0.1]\ndeviation = [0.0]"), testing::HasSubstr("'deviation'"));
  EXPECT_THAT(refusal("supervised", "hidden = [0]"), testing::HasSubstr("'hidden'"));
  EXPECT_THAT(refusal("supervised", "dropout = 1.0"), testing::HasSubstr("'dropout' = 1.0"));
  EXPECT_THROW(ready("encoder = \"lightcurve\""), Error);
}

}  // namespace
}  // namespace astroclip
