#include <gtest/gtest.h>
#include <testing/gradient_check.h>
#include <testing/plugins.h>

namespace {

using namespace astroclip;
using namespace astroclip::testing_support;

class MyEncoderTest : public testing::Test {
 protected:
  /// Three by three patches, in float64.
  std::shared_ptr<Encoder> make(const std::string& more) const {
    return make_encoder("my_encoder", "image = 12\npatch = 4\ndim = 5\nwidth = 3\n" + more, reference_device);
  }

  Rng rng_{1, RngStream::tests};
  Tensor images_ = random_tensor({2, 3, 12, 12}, rng_);
};

TEST_F(MyEncoderTest, ShapesAreAsDeclared) {
  const auto encoder = make("depth = 1");
  const Tensor tokens = encoder->tokenize(images_);
  EXPECT_EQ(tokens.shape(), (Shape{2, encoder->token_shape()[0], encoder->token_shape()[1]}));
  const Encoded encoded = encoder->encode(tokens, {}, TokenForm::alignment);
  EXPECT_EQ(encoded.tokens.shape(), (Shape{2, 9, encoder->dim()}));
  EXPECT_EQ(encoder->embed(encoded).shape(), (Shape{2, encoder->embedding_width()}));
}

TEST_F(MyEncoderTest, AConvolutionReachesNeighboursAndNoFurther) {
  const auto encoder = make("depth = 1");
  const auto features = [&](const Tensor& images) {
    return encoder->encode(encoder->tokenize(images), {}, TokenForm::alignment).tokens.to_doubles();
  };
  const std::vector<double> before = features(images_);
  Tensor changed = images_.clone();
  changed.mutable_data_as<double>()[0] += 1.0;  // the first patch, at the upper left
  const std::vector<double> after = features(changed);
  for (size_t token = 0; token < 9; ++token) {
    const bool is_near = token % 3 < 2 && token / 3 < 2;
    EXPECT_EQ(before[token * 5] != after[token * 5], is_near) << "token " << token;
  }
}

TEST_F(MyEncoderTest, GradientsAgreeWithCentralDifferences) {
  const auto encoder = make("depth = 2");
  const auto embed = [&] {
    return encoder->embed(encoder->encode(encoder->tokenize(images_), {}, TokenForm::alignment));
  };
  EXPECT_EQ(gradient_errors(embed, encoder->parameters(), rng_, 10), "");
}

TEST_F(MyEncoderTest, RefusesPatchesThatDoNotFit) {
  EXPECT_THROW(make_encoder("my_encoder", "image = 10\npatch = 4", reference_device), Error);
}

}  // namespace
