// Which tokens masked modelling hides, and the figure of what it makes of them.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "losses/loss_support.h"
#include "ops/operators.h"

namespace astroclip {
namespace {

using namespace testing_support;

/// A value a token, three times the value and one more; reconstructs 7. Remembers the mask.
class Line : public Encoder, public Reconstruction, public TokenGrid {
 public:
  explicit Line(int64_t count) : count_(count) {}
  std::string modality() const override { return "spectrum"; }
  Shape input_shape() const override { return {count_}; }
  Shape token_shape() const override { return {count_, 1}; }
  int64_t dim() const override { return 1; }
  int64_t embedding_width() const override { return 1; }
  Tensor token_grid(const Tensor& raw) const override { return ops::reshape(raw, {raw.size(0), count_, 1}); }
  Tensor tokenize(const Tensor& raw) const override { return 3.0 * token_grid(raw) + 1.0; }
  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm) const override {
    hidden = rows_of(mask);
    return {{}, 0.0 * tokens + 7.0};
  }
  Tensor reconstruct(const Encoded& encoded) const override { return encoded.tokens; }
  Tensor embed(const Encoded& encoded) const override { return encoded.tokens; }
  Tensor pool(const Encoded& encoded) const override { return encoded.tokens; }
  mutable Rows hidden;

 private:
  int64_t count_;
};

struct Hiding {
  explicit Hiding(const std::string& toml, int64_t tokens = 60)
      : encoder(std::make_shared<Line>(tokens)),
        engine({{"spectrum", {encoder, raw_of(tokens)}}}, reference_device),
        loss(ready_loss("masked_spectrum", toml, engine)) {}
  static Tensor raw_of(int64_t tokens) {
    std::vector<double> values(static_cast<size_t>(2 * tokens));
    std::iota(values.begin(), values.end(), 1.0);
    return Tensor::from_host(values, {2, tokens}, DType::f64, reference_device);
  }
  const Rows& masks() {
    loss->forward(engine);
    return encoder->hidden;
  }

  std::shared_ptr<Line> encoder;
  PlainEngine engine;
  std::shared_ptr<Loss> loss;
};

int64_t count(const std::vector<double>& mask) { return std::ranges::count(mask, 1.0); }
/// Where a hidden token follows one that is not.
int64_t runs(const std::vector<double>& mask) {
  int64_t begun = mask[0] == 1.0 ? 1 : 0;
  for (size_t i = 1; i < mask.size(); ++i) begun += mask[i] == 1.0 && mask[i - 1] == 0.0 ? 1 : 0;
  return begun;
}

TEST(MaskedSpectrum, HidesASpanInEachSection) {
  Hiding hiding("spans = 3\nspan_length = 4");
  for (const auto& mask : hiding.masks()) {
    EXPECT_EQ(count(mask), 12);
    for (size_t section = 0; section < 3; ++section) {
      const auto begin = mask.begin() + static_cast<ptrdiff_t>(20 * section);
      EXPECT_EQ(std::count(begin, begin + 20, 1.0), 4);
    }
  }
  EXPECT_NE(hiding.masks()[0], hiding.masks()[1]);
}

TEST(MaskedSpectrum, AFractionGivesTheNumberOfSpans) {
  Hiding hiding("spans = 1\nspan_length = 3\nfraction = 0.25");
  for (const auto& mask : hiding.masks()) {
    EXPECT_EQ(count(mask), 15);  // five spans of three
    EXPECT_LE(runs(mask), 5);
  }
}

TEST(MaskedSpectrum, SingleTokensAreHiddenBesideSpans) {
  Hiding beside("spans = 1\nspan_length = 6\nrandom = 0.2"), alone("spans = 0\nrandom = 0.1");
  Hiding spans("spans = 1\nspan_length = 6");
  for (size_t sample = 0; sample < 2; ++sample) {
    EXPECT_EQ(count(beside.masks()[sample]), 6 + 12);
    for (size_t i = 0; i < 60; ++i) {
      EXPECT_GE(beside.masks()[sample][i], spans.masks()[sample][i]);  // the span is where it would be without
    }
    EXPECT_EQ(count(alone.masks()[sample]), 6);
  }
}

TEST(MaskedSpectrum, RefusesWhatHidesNothingOrDoesNotFit) {
  EXPECT_THAT(refusal("masked_spectrum", "spans = 0"), testing::HasSubstr("nothing is hidden"));
  EXPECT_THAT([] { Hiding hiding("spans = 4\nspan_length = 16"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("4 spans of 16 tokens do not fit into 60 tokens")));
}

/// Tokens are values times three and one more, so that 7 stands for 2.
TEST(MaskedSpectrum, DrawsReconstructionsInTheUnitsOfTheSpectrum) {
  Hiding hiding("spans = 2\nspan_length = 5");
  const std::vector<LossFigure> figures = hiding.loss->figures(hiding.engine);
  ASSERT_EQ(figures.size(), 2U);
  for (size_t object = 0; object < 2; ++object) {
    const LossFigure& figure = figures[object];
    EXPECT_EQ(figure.object, static_cast<int64_t>(object));
    EXPECT_EQ(figure.x_label, "pixel");
    ASSERT_EQ(figure.lines.size(), 2U);
    EXPECT_EQ(figure.lines[0].y[7], 8.0 + 60.0 * static_cast<double>(object));
    const std::vector<double>& mask = hiding.encoder->hidden[object];
    for (size_t i = 0; i < 60; ++i) {
      const bool shaded = std::ranges::any_of(
          figure.shaded, [&](const auto& span) { return span.first <= figure.x[i] && figure.x[i] <= span.second; });
      EXPECT_EQ(shaded, mask[i] == 1.0) << i;
      if (shaded) {
        EXPECT_NEAR(figure.lines[1].y[i], 2.0, 1e-9);
      } else {
        EXPECT_TRUE(std::isnan(figure.lines[1].y[i]));
      }
    }
  }
}

}  // namespace
}  // namespace astroclip
