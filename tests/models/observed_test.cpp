// What was not observed does not count in masked modelling.
#include <gmock/gmock.h>

#include <numeric>
#include <set>

#include "models/model_support.h"
#include "ops/operators.h"
#include "support/devices.h"
#include "testing/plain_engine.h"

namespace astroclip {
namespace {

using testing_support::make_encoder;
using testing_support::make_loss;
using testing_support::PlainEngine;

using testing_support::cpu;

Tensor row(const std::vector<double>& values) {
  return Tensor::from_host(values, {1, static_cast<int64_t>(values.size())}, DType::f32, cpu);
}

TEST(TokenGrid, PutsValuesWhereSpecformerReadsThem) {
  const auto encoder = make_encoder(
      "specformer",
      "pixels = 7\nwindow = 3\nstride = 2\ndim = 8\ndepth = 1\nheads = 2\nhead = { width = 8, heads = 2 }", cpu);
  const Tensor raw = row({0, 10, 20, 30, 40, 50, 60});
  const std::vector<double> expected = {1, 1, 1,  1,  1,   //
                                        1, 1, 0,  10, 20,  //
                                        1, 1, 20, 30, 40,  //
                                        1, 1, 40, 50, 60};
  const Tensor grid = ability<TokenGrid>(*encoder).token_grid(raw);
  EXPECT_EQ(grid.shape(), (Shape{1, 4, 5}));
  EXPECT_EQ(grid.to_doubles(), expected);
  // Tokens hold the same values standardised: mean 30, deviation 10·√(28/6).
  const auto tokens = encoder->tokenize(raw).to_doubles();
  for (const size_t entry : {7U, 9U, 13U, 19U}) {
    EXPECT_NEAR(tokens[entry], (expected[entry] - 30.0) / (10.0 * std::sqrt(28.0 / 6.0)), 1e-5);
  }
}

TEST(TokenGrid, PutsValuesWhereVitReadsThem) {
  const auto encoder = make_encoder(
      "vit",
      "image = 4\npatch = 2\nchannels = 1\ndim = 8\ndepth = 1\nheads = 2\nchunks = 1\nhead = { width = 8, heads = 2 }",
      cpu);
  std::vector<double> pixels(16);
  std::iota(pixels.begin(), pixels.end(), 0.0);
  const Tensor grid = ability<TokenGrid>(*encoder).token_grid(Tensor::from_host(pixels, {1, 1, 4, 4}, DType::f32, cpu));
  EXPECT_EQ(grid.to_doubles(), (std::vector<double>{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
}

/// One value a token; reconstructs zeros.
class Values : public Encoder, public Reconstruction, public TokenGrid {
 public:
  explicit Values(int64_t count) : count_(count) {}
  std::string modality() const override { return "spectrum"; }
  Shape input_shape() const override { return {count_}; }
  Shape token_shape() const override { return {count_, 1}; }
  int64_t dim() const override { return 1; }
  int64_t embedding_width() const override { return 1; }
  Tensor tokenize(const Tensor& raw) const override { return ops::reshape(raw, {raw.size(0), count_, 1}); }
  Tensor token_grid(const Tensor& raw) const override { return tokenize(raw); }
  Encoded encode(const Tensor& tokens, const Tensor&, TokenForm) const override { return {{}, 0 * tokens}; }
  Tensor reconstruct(const Encoded& encoded) const override { return encoded.tokens; }
  Tensor embed(const Encoded& encoded) const override { return encoded.tokens; }
  Tensor pool(const Encoded& encoded) const override { return encoded.tokens; }

 private:
  int64_t count_;
};

/// Keeps the mask that it is given.
class MaskKeeper final : public Values {
 public:
  using Values::Values;
  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm form) const override {
    seen = mask.to_doubles();
    return Values::encode(tokens, mask, form);
  }
  mutable std::vector<double> seen;
};

/// AstroCLIP's 778 tokens: span i of 6 begins at ⌊i · 778/6⌋ and one of 0 … 78 = ⌊778/6⌋ − 50 − 1 behind it.
TEST(MaskedSpectrum, SpansBeginWherePublishedOnesDo) {
  constexpr int64_t tokens = 778, spans = 6, samples = 400;
  const auto encoder = std::make_shared<MaskKeeper>(tokens);
  const Tensor raw = Tensor::from_host(std::vector<double>(samples * tokens, 1.0), {samples, tokens}, DType::f32, cpu);
  PlainEngine engine({{"spectrum", {encoder, raw}}}, cpu);
  (void)make_loss("masked_spectrum")->forward(engine);
  std::set<int64_t> offsets;
  for (int64_t sample = 0; sample < samples; ++sample) {
    const double* mask = encoder->seen.data() + sample * tokens;
    std::vector<int64_t> starts;
    for (int64_t t = 0; t < tokens; ++t) {
      if (mask[t] == 1.0 && (t == 0 || mask[t - 1] == 0.0)) starts.push_back(t);
    }
    ASSERT_EQ(std::accumulate(mask, mask + tokens, 0.0), 300.0);
    ASSERT_EQ(starts.size(), 6U);  // so that each is of 50, with a gap to the next
    for (int64_t span = 0; span < spans; ++span) {
      offsets.insert(starts[static_cast<size_t>(span)] - span * tokens / spans);
    }
  }
  EXPECT_EQ(offsets.size(), 79U);
  EXPECT_EQ(*offsets.begin(), 0);
  EXPECT_EQ(*offsets.rbegin(), 78);
}

TEST(MaskedSpectrum, CountsOnlyWhatWasObserved) {
  const auto encoder = std::make_shared<Values>(4);
  PlainEngine engine({{"spectrum", {encoder, row({1, 2, 3, 4})}}, {"observed", {encoder, row({0.5, 0, 7, 1})}}}, cpu);
  const std::string all_hidden = "spans = 1\nspan_length = 4\n";
  EXPECT_NEAR(make_loss("masked_spectrum", all_hidden)->forward(engine).total.item(), 30.0 / 4.0, 1e-6);
  const auto loss = make_loss("masked_spectrum", all_hidden + "observed = \"spectrum_ivar\"");
  EXPECT_NEAR(loss->forward(engine).total.item(), 26.0 / 3.0, 1e-6);
  const auto views = loss->views(engine);
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[1].field, "spectrum_ivar");
  EXPECT_FALSE(views[1].augment);
}

/// Reconstructs, from tokens that hold no single values.
class Opaque final : public testing_support::FreeFeatures, public Reconstruction {
 public:
  using FreeFeatures::FreeFeatures;
  Tensor reconstruct(const Encoded& encoded) const override { return encoded.tokens; }
};

TEST(MaskedSpectrum, RefusesEncodersThatLackWhatItNeeds) {
  const auto attach = [](const std::shared_ptr<Encoder>& encoder, const std::string& observed) {
    encoder->set_plugin_name("mine");
    PlainEngine engine({{"spectrum", {encoder, row({1, 2, 3, 4})}}}, cpu);
    make_loss("masked_spectrum", "spans = 1\nspan_length = 1\nobserved = \"" + observed + "\"")->attach(engine);
  };
  EXPECT_THAT([&] { attach(std::make_shared<testing_support::FreeFeatures>("spectrum", 4), ""); },
              testing::ThrowsMessage<Error>("encoder 'mine' cannot reconstruct its tokens"));
  attach(std::make_shared<Opaque>("spectrum", 4), "");
  EXPECT_THAT([&] { attach(std::make_shared<Opaque>("spectrum", 4), "spectrum_ivar"); },
              testing::ThrowsMessage<Error>("encoder 'mine' has tokens that hold no single values of its input"));
}

}  // namespace
}  // namespace astroclip
