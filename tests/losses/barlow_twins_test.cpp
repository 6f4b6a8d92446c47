#include "losses/loss_support.h"

namespace astroclip {
namespace {

using namespace testing_support;

class BarlowTwins : public testing::Test {
 protected:
  static Rows standardised(Rows z) {
    const auto n = static_cast<double>(z.size());
    for (size_t k = 0; k < width; ++k) {
      double mean = 0.0, variance = 0.0;
      for (const auto& row : z) mean += row[k] / n;
      for (const auto& row : z) variance += square(row[k] - mean) / n;
      for (auto& row : z) row[k] = (row[k] - mean) / std::sqrt(variance + 1e-5);
    }
    return z;
  }
  double expected(double redundancy) const {
    const Rows a = standardised(rows_of(a_)), b = standardised(rows_of(b_));
    double sum = 0.0;
    for (size_t i = 0; i < width; ++i) {
      for (size_t j = 0; j < width; ++j) {
        double correlation = 0.0;
        for (size_t row = 0; row < a.size(); ++row)
          correlation += a[row][i] * b[row][j] / static_cast<double>(a.size());
        sum += i == j ? square(1.0 - correlation) : redundancy * square(correlation);
      }
    }
    return sum;
  }

  static constexpr int64_t width = 4;
  Rng rng_{17, RngStream::tests};
  Tensor a_ = random_tensor({5, width}, rng_), b_ = random_tensor({5, width}, rng_);
};

TEST_F(BarlowTwins, DrawsTheCorrelationsToTheUnitMatrix) {
  EXPECT_NEAR(loss_value("barlow_twins", "", a_, b_), expected(0.005), 1e-12);
  EXPECT_NEAR(loss_value("barlow_twins", "redundancy = 0.7", a_, b_), expected(0.7), 1e-12);
}

TEST_F(BarlowTwins, Gradients) {
  expect_loss_gradients("barlow_twins", "redundancy = 0.7", a_, b_, rng_);
  expect_loss_gradients("barlow_twins", "redundancy = 0.1\nprojector = [5, 3]", a_, b_, rng_);
}

TEST_F(BarlowTwins, Refusals) {
  EXPECT_THAT(refusal("barlow_twins", "redundancy = -1.0"), testing::HasSubstr("'redundancy' = -1.0"));
  EXPECT_THAT(refusal("barlow_twins", "projector = [0]"), testing::HasSubstr("'projector'"));
  EXPECT_THAT([&] { loss_value("barlow_twins", "", a_.view_rows(0, 1), b_.view_rows(0, 1)); },
              testing::ThrowsMessage<Error>("[barlow_twins] needs a batch of at least 2 objects, found 1"));
}

/// A batch norm takes scale and shift from what the first layer makes of the embeddings.
TEST_F(BarlowTwins, ProjectorsHaveBatchNorms) {
  const auto value = [&](const std::string& toml, double scale) {
    std::vector<double> values = a_.to_doubles();
    for (double& one : values) one *= scale;
    const Tensor scaled = Tensor::from_host(values, a_.shape(), DType::f64, reference_device);
    PlainEngine engine = engine_of(scaled, b_);
    const auto loss = ready_loss("barlow_twins", toml, engine);
    loss->set_training(true);
    return loss->forward(engine).total.item();
  };
  EXPECT_NEAR(value("projector = [5, 3]", 10.0), value("projector = [5, 3]", 1.0), 1e-3);
  const std::string without = "projector = [5, 3]\nbatch_norm = false";
  EXPECT_GT(std::abs(value(without, 10.0) - value(without, 1.0)), 1e-3);
}

}  // namespace
}  // namespace astroclip
