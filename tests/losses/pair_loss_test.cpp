// Losses of more than two towers: the weighted mean over all pairs, each as the loss of those two alone.
#include "losses/loss_support.h"

namespace astroclip {
namespace {

using namespace testing_support;

/// Three towers of five objects.
class ThreeTowers : public testing::Test {
 protected:
  PlainEngine engine(const std::vector<std::string>& names) const {
    std::vector<std::pair<std::string, PlainEngine::Tower>> towers;
    for (const std::string& name : names) {
      const Tensor& embeddings = embeddings_.at(name);
      towers.push_back({name, {std::make_shared<FreeFeatures>(name, embeddings.size(1)), embeddings}});
    }
    return {std::move(towers), reference_device};
  }
  LossValue value(const std::string& loss, const std::string& toml, const std::vector<std::string>& names) const {
    PlainEngine towers = engine(names);
    return ready_loss(loss, toml, towers)->forward(towers);
  }
  double total(const std::string& loss, const std::string& toml, const std::vector<std::string>& names) const {
    return value(loss, toml, names).total.item();
  }

  Rng rng_{18, RngStream::tests};
  const std::map<std::string, Tensor> embeddings_ = {{"image", random_tensor({5, 4}, rng_)},
                                                     {"spectrum", random_tensor({5, 4}, rng_)},
                                                     {"photometry", random_tensor({5, 4}, rng_)},
                                                     {"wide", random_tensor({5, 6}, rng_)}};
  const std::vector<std::string> three_ = {"image", "spectrum", "photometry"};
};

class EachPairLoss : public ThreeTowers, public testing::WithParamInterface<std::string> {};

TEST_P(EachPairLoss, IsTheWeightedMeanOverPairs) {
  const std::string loss = GetParam(), toml = telling_parameters(loss);
  const double first = total(loss, toml, {"image", "spectrum"}), second = total(loss, toml, {"image", "photometry"}),
               third = total(loss, toml, {"spectrum", "photometry"});
  EXPECT_NEAR(total(loss, toml, three_), (first + second + third) / 3.0, 1e-12);
  EXPECT_NEAR(total(loss, toml + "\npair_weights = [1.0, 3.0, 0.0]", three_), (first + 3.0 * second) / 4.0, 1e-12);
}

TEST_P(EachPairLoss, LogsTheMeansOfItsTerms) {
  const std::string loss = GetParam(), toml = telling_parameters(loss);
  const LossValue first = value(loss, toml, {"image", "spectrum"}), second = value(loss, toml, {"image", "photometry"}),
                  third = value(loss, toml, {"spectrum", "photometry"}), all = value(loss, toml, three_);
  ASSERT_EQ(all.terms.size(), first.terms.size());
  for (size_t i = 0; i < all.terms.size(); ++i) {
    EXPECT_EQ(all.terms[i].first, first.terms[i].first);
    const double mean =
        (first.terms[i].second.item() + second.terms[i].second.item() + third.terms[i].second.item()) / 3.0;
    EXPECT_NEAR(all.terms[i].second.item(), mean, 1e-12) << all.terms[i].first;
  }
}

INSTANTIATE_TEST_SUITE_P(, EachPairLoss,
                         testing::ValuesIn(losses_but({"dinov2", "masked_spectrum", "moco", "sum", "supervised"})),
                         [](const auto& row) { return row.param; });

TEST_F(ThreeTowers, CwclPutsItsReferenceFirstInEveryPair) {
  const std::string toml = "reference = \"photometry\"";
  const double with_image = total("cwcl", "", {"photometry", "image"}),
               with_spectrum = total("cwcl", "", {"photometry", "spectrum"});
  EXPECT_NEAR(total("cwcl", toml + "\npair_weights = [0.0, 1.0, 1.0]", three_), (with_image + with_spectrum) / 2.0,
              1e-12);
}

TEST_F(ThreeTowers, NeedAWeightForEachPair) {
  const auto refused = [&](const std::string& toml, const std::string& found) {
    EXPECT_THAT([&] { value("clip", toml, three_); },
                testing::ThrowsMessage<Error>("[clip] 'pair_weights' must hold one number for each of the 3 pairs of "
                                              "image, spectrum, photometry, not all 0, found " +
                                              found));
  };
  refused("pair_weights = [1.0]", "[1]");
  refused("pair_weights = [0.0, 0.0, 0.0]", "[0, 0, 0]");
  EXPECT_THAT(refusal("clip", "pair_weights = [-1.0]"), testing::HasSubstr("'pair_weights'"));
}

TEST_F(ThreeTowers, MustBeTwoOrMoreAndEquallyWide) {
  EXPECT_THAT([&] { value("siglip", "", {"image"}); },
              testing::ThrowsMessage<Error>("[siglip] needs two encoders or more, the stage has 1"));
  EXPECT_THAT(
      [&] {
        value("siglip", "", {"image", "spectrum", "wide"});
      },
      testing::ThrowsMessage<Error>(
          "[siglip] the heads of the encoders must be equally wide, found 4 (image) and 6 (wide)"));
}

}  // namespace
}  // namespace astroclip
