#include "evaluate/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/small_experiment.h"

namespace astroclip::evaluate {
namespace {

TEST(Attention, IsOfTheEncodersThatHaveItWithPlacesOfTheirTokens) {
  const Experiment experiment = testing_support::small_experiment({});
  const auto dataset = experiment.dataset.make();
  const Model model(experiment.encoders, experiment.run_device(), 3);
  Origins origins;
  for (const std::string& name : model.names()) origins[name] = {Origin::aligned, Origin::aligned};
  std::vector<int64_t> rows(static_cast<size_t>(dataset->size(Split::test)));
  std::iota(rows.begin(), rows.end(), 0);
  const auto all = attention_of(experiment, model, origins, *dataset, rows, {2, 5});
  ASSERT_EQ(all.size(), 2U);
  for (const Attention& one : all) {
    EXPECT_EQ(one.objects, (std::vector<int64_t>{2, 5}));
    EXPECT_EQ(one.heads, 2);
    ASSERT_EQ(std::ssize(one.weights), 2 * one.heads * one.tokens);
    for (auto head = one.weights.begin(); head != one.weights.end(); head += one.tokens)
      EXPECT_NEAR(std::accumulate(head, head + one.tokens, 0.0), 1.0, 1e-5);
  }
  // Four patches of 12 pixels; windows of 200 pixels behind a token of mean and deviation.
  EXPECT_EQ(all[0].places, (std::vector<float>{5.5F, 5.5F, 17.5F, 5.5F, 5.5F, 17.5F, 17.5F, 17.5F}));
  EXPECT_EQ(all[0].side, 24);
  ASSERT_EQ(all[1].tokens, 38 + 1);
  EXPECT_TRUE(std::isnan(all[1].places[0]));
  EXPECT_EQ(all[1].places[1], 99.5F);
  EXPECT_EQ(all[1].places[38], 37 * 200 + 99.5F);
}

TEST(Attention, IsNotThereWhereTheEmbeddingIsAMean) {
  const Experiment experiment = testing_support::small_experiment({});
  const auto dataset = experiment.dataset.make();
  const Model model(experiment.encoders, experiment.run_device(), 3);
  Origins origins;  // no head has been trained: backbones are measured
  for (const std::string& name : model.names()) origins[name] = {};
  const auto all = attention_of(experiment, model, origins, *dataset, {0, 1, 2}, {1});
  ASSERT_EQ(all.size(), 1U);  // the class token of images
  EXPECT_EQ(all[0].encoder, "image");
  EXPECT_EQ(all[0].tokens, 4);
}

}  // namespace
}  // namespace astroclip::evaluate
