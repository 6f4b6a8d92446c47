// The tower on magnitudes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ops/ops.h"
#include "testing/gradient_check.h"
#include "testing/plugins.h"

namespace astroclip {
namespace {

using testing_support::make_encoder;
constexpr Device on_reference = testing_support::reference_device;

/// One object in three bands [1, 3, 3].
Tensor bands_of_one(const std::vector<double>& magnitudes, const std::vector<double>& errors,
                    const std::vector<double>& measured) {
  std::vector<double> values = magnitudes;
  values.insert(values.end(), errors.begin(), errors.end());
  values.insert(values.end(), measured.begin(), measured.end());
  return Tensor::from_host(values, {1, 3, 3}, DType::f64, on_reference);
}

TEST(PhotometryMlp, LaysOutMagnitudesErrorsAndColours) {
  const auto encoder = make_encoder("photometry_mlp", "hidden = [4]\nwidth = 2", on_reference);
  const auto tokens = encoder->tokenize(bands_of_one({22, 20, 19}, {0.1, 0.3, 0.0}, {1, 1, 1}));
  EXPECT_EQ(tokens.shape(), (Shape{1, 1, 11}));
  EXPECT_THAT(tokens.to_doubles(), testing::Pointwise(testing::DoubleNear(1e-12),
                                                      {1.0, 0.0, -0.5, 0.5, 0.75, 0.0, 1.0, 1.0, 1.0, 4.0, 2.0}));
  // The second band is missing, and with it both colours.
  EXPECT_THAT(encoder->tokenize(bands_of_one({22, 0, 19}, {0.1, 0, 0.1}, {1, 0, 1})).to_doubles(),
              testing::Pointwise(testing::DoubleNear(1e-12), {1.0, 0.0, -0.5, 0.5, 0.0, 0.5, 1.0, 0.0, 1.0, 0.0, 0.0}));
}

TEST(PhotometryMlp, TakesOneBand) {
  const auto encoder = make_encoder("photometry_mlp", "bands = 1\nhidden = [4]", on_reference);
  EXPECT_EQ(encoder->tokenize(Tensor::zeros({2, 3, 1}, DType::f64, on_reference)).shape(), (Shape{2, 1, 3}));
}

TEST(PhotometryMlp, GradientsAgreeWithCentralDifferences) {
  const auto encoder = make_encoder("photometry_mlp", "hidden = [5, 4]\nwidth = 3", on_reference);
  Rng rng(3, RngStream::tests);
  const Tensor tokens = testing_support::random_tensor({3, 1, 11}, rng);
  const auto embedding = [&] { return encoder->embed(encoder->encode(tokens, {}, TokenForm::alignment)); };
  EXPECT_EQ(embedding().shape(), (Shape{3, 3}));
  EXPECT_EQ(testing_support::gradient_errors(embedding, encoder->parameters(), rng), "");
}

TEST(PhotometryMlp, RefusesOtherBands) {
  const auto encoder = make_encoder("photometry_mlp", "", on_reference);
  EXPECT_THAT(
      [&] {
        encoder->tokenize(Tensor::zeros({2, 3, 5}, DType::f64, on_reference));
      },
      testing::ThrowsMessage<Error>("[photometry_mlp] photometry must be [batch, 3, 3], found [2, 3, 5]"));
}

}  // namespace
}  // namespace astroclip
