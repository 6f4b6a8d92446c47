#include <algorithm>

#include "losses/loss_support.h"

namespace astroclip {
namespace {

using namespace testing_support;

class Vicreg : public testing::Test {
 protected:
  static double covariance(const Rows& z, size_t i, size_t j) {
    const auto n = static_cast<double>(z.size());
    double mean_i = 0.0, mean_j = 0.0, sum = 0.0;
    for (const auto& row : z) {
      mean_i += row[i] / n;
      mean_j += row[j] / n;
    }
    for (const auto& row : z) sum += (row[i] - mean_i) * (row[j] - mean_j);
    return sum / (n - 1.0);
  }
  static double lacking(const Rows& z, double deviation) {
    double sum = 0.0;
    for (size_t j = 0; j < width; ++j) sum += std::max(0.0, deviation - std::sqrt(covariance(z, j, j) + 1e-4)) / width;
    return sum;
  }
  static double shared(const Rows& z) {
    double sum = 0.0;
    for (size_t i = 0; i < width; ++i) {
      for (size_t j = 0; j < width; ++j) sum += i == j ? 0.0 : square(covariance(z, i, j)) / width;
    }
    return sum;
  }
  double invariance() const {
    const std::vector<double> a = a_.to_doubles(), b = b_.to_doubles();
    double sum = 0.0;
    for (size_t i = 0; i < a.size(); ++i) sum += square(a[i] - b[i]) / static_cast<double>(a.size());
    return sum;
  }

  static constexpr int64_t width = 4;
  Rng rng_{16, RngStream::tests};
  Tensor a_ = random_tensor({5, width}, rng_), b_ = random_tensor({5, width}, rng_);
};

TEST_F(Vicreg, IsTheWeightedSumOfThreeTerms) {
  const Rows a = rows_of(a_), b = rows_of(b_);
  EXPECT_NEAR(loss_value("vicreg", "", a_, b_),
              25.0 * invariance() + 25.0 * (lacking(a, 1.0) + lacking(b, 1.0)) + shared(a) + shared(b), 1e-12);
  EXPECT_NEAR(loss_value("vicreg", "invariance = 1.0\nvariance = 2.0\ncovariance = 3.0\ndeviation = 0.6", a_, b_),
              invariance() + 2.0 * (lacking(a, 0.6) + lacking(b, 0.6)) + 3.0 * (shared(a) + shared(b)), 1e-12);
}

TEST_F(Vicreg, Gradients) {
  expect_loss_gradients("vicreg", "invariance = 1.0\nvariance = 2.0\ncovariance = 3.0\ndeviation = 0.6", a_, b_, rng_);
  expect_loss_gradients("vicreg", "expander = [5, 3]", a_, b_, rng_);
}

TEST_F(Vicreg, EachModalityHasItsExpander) {
  PlainEngine engine = engine_of(a_, b_);
  std::vector<std::string> names;
  for (const NamedTensor& entry : ready_loss("vicreg", "expander = [3]", engine)->parameters()) {
    names.push_back(entry.name);
  }
  EXPECT_THAT(names, testing::ElementsAre("expander.image.layers.0.weight", "expander.image.layers.0.bias",
                                          "expander.spectrum.layers.0.weight", "expander.spectrum.layers.0.bias"));
}

TEST_F(Vicreg, Refusals) {
  EXPECT_THAT(refusal("vicreg", "invariance = -1.0"), testing::HasSubstr("'invariance' = -1.0"));
  EXPECT_THAT(refusal("vicreg", "variance = -1.0"), testing::HasSubstr("'variance' = -1.0"));
  EXPECT_THAT(refusal("vicreg", "covariance = -1.0"), testing::HasSubstr("'covariance' = -1.0"));
  EXPECT_THAT(refusal("vicreg", "deviation = 0.0"), testing::HasSubstr("'deviation' = 0.0 is not above 0"));
  EXPECT_THAT(refusal("vicreg", "expander = [0]"), testing::HasSubstr("'expander'"));
  EXPECT_THAT([&] { loss_value("vicreg", "", a_.view_rows(0, 1), b_.view_rows(0, 1)); },
              testing::ThrowsMessage<Error>("[vicreg] needs a batch of at least 2 objects, found 1"));
}

}  // namespace
}  // namespace astroclip
