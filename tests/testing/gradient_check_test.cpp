// The helper that tests of ops, modules and plugins rely on finds what is wrong.
#include "testing/gradient_check.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "autograd/tape.h"
#include "ops/ops.h"

namespace astroclip::testing_support {
namespace {

/// 3x, whose recorded gradient is `slope`.
Tensor triple(const Tensor& x, double slope) {
  return autograd::record("triple", ops::affine(x.detach(), 3.0), {x}, [slope](const Tensor& gradient) {
    return std::vector<Tensor>{ops::affine(gradient, slope)};
  });
}

class GradientCheck : public testing::Test {
 protected:
  Rng rng_{1, RngStream::tests};
  Tensor x_ = random_tensor({2, 3}, rng_);
};

TEST_F(GradientCheck, SaysNothingOfARightGradientAndPutsValuesBack) {
  const std::vector<double> before = x_.to_doubles();
  EXPECT_EQ(gradient_errors([&] { return triple(x_, 3.0); }, {{"x", x_}}, rng_), "");
  EXPECT_EQ(x_.to_doubles(), before);
}

TEST_F(GradientCheck, NamesEveryElementOfAWrongGradient) {
  const std::string errors = gradient_errors([&] { return triple(x_, 3.001); }, {{"x", x_}}, rng_);
  for (const char* at : {"x: element 0: ", "x: element 5: "}) EXPECT_THAT(errors, testing::HasSubstr(at));
  EXPECT_EQ(std::ranges::count(errors, '\n'), 6);
}

TEST_F(GradientCheck, TriesAsManyElementsAsAskedFor) {
  const std::string errors = gradient_errors([&] { return triple(x_, 2.0); }, {{"x", x_}}, rng_, 4);
  EXPECT_EQ(std::ranges::count(errors, '\n'), 4);
}

TEST_F(GradientCheck, NamesATensorThatGotNone) {
  const Tensor y = random_tensor({2, 3}, rng_);
  EXPECT_EQ(gradient_errors([&] { return ops::add(triple(x_, 3.0), y.detach()); }, {{"x", x_}, {"y", y}}, rng_),
            "y: got no gradient; leave it out if the function does not depend on it\n");
}

}  // namespace
}  // namespace astroclip::testing_support
