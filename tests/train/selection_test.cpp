#include "train/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace astroclip::train {
namespace {

using testing::ThrowsMessage;

/// Says of each value, offered every 10 steps from the tenth, whether it was the best so far.
std::vector<bool> verdicts(Selection& selection, const std::vector<double>& values) {
  std::vector<bool> all;
  for (size_t i = 0; i < values.size(); ++i) {
    all.push_back(selection.offer(static_cast<int64_t>(10 * (i + 1)), {{"validation.loss", values[i]}}));
  }
  return all;
}

TEST(Selection, TheLowestWinsAndTheFirstOfEquals) {
  Selection selection({.every = 10});
  EXPECT_FALSE(selection.has_best());
  EXPECT_EQ(verdicts(selection, {3.0, 2.0, 2.0, 2.5, 1.0, 4.0}),
            (std::vector<bool>{true, true, false, false, true, false}));
  EXPECT_EQ(selection.step_of_best(), 50);
  EXPECT_EQ(selection.best_value(), 1.0);
  EXPECT_EQ(selection.last_value(), 4.0);
}

TEST(Selection, OrTheHighest) {
  Selection selection({.every = 10, .mode = Extremum::max});
  EXPECT_EQ(verdicts(selection, {-3.0, -4.0, 0.5}), (std::vector<bool>{true, false, true}));
}

TEST(Selection, OrTheNearestToZero) {
  Selection selection({.every = 10, .mode = Extremum::zero});
  EXPECT_EQ(verdicts(selection, {-0.1, 0.01, -0.02, -0.005}), (std::vector<bool>{true, true, false, true}));
  EXPECT_EQ(selection.best_value(), -0.005);
}

TEST(Selection, WhatIsNotFiniteIsNeverTheBest) {
  Selection selection({.every = 10, .patience = 2});
  EXPECT_EQ(verdicts(selection, {std::nan(""), 1.0, std::nan(""), -INFINITY}),
            (std::vector<bool>{false, true, false, false}));
  EXPECT_TRUE(selection.exhausted());
}

TEST(Selection, WhatWasBeforeTheFirstStepIsNoCandidate) {
  Selection selection({.every = 10, .patience = 1});
  EXPECT_FALSE(selection.offer(0, {{"validation.loss", 0.1}}));
  EXPECT_FALSE(selection.has_best());
  EXPECT_FALSE(selection.exhausted());
  EXPECT_TRUE(selection.offer(10, {{"validation.loss", 0.2}}));
}

TEST(Selection, PatienceCountsValidationsInARow) {
  Selection selection({.every = 10, .patience = 2});
  verdicts(selection, {1.0, 2.0, 0.5, 0.6});
  EXPECT_FALSE(selection.exhausted());
  selection.offer(50, {{"validation.loss", 0.7}});
  EXPECT_TRUE(selection.exhausted());
  Selection patient({.every = 10});
  verdicts(patient, {1.0, 2.0, 2.0, 2.0, 2.0});
  EXPECT_FALSE(patient.exhausted());
}

TEST(Selection, IsDueBeforeTheFirstStepEveryFewAndAfterTheLastButOnce) {
  Selection selection({.every = 10});
  std::vector<int64_t> steps;
  for (int64_t step = 0; step <= 25; ++step) {
    if (!selection.due(step, 25)) continue;
    steps.push_back(step);
    selection.offer(step, {{"validation.loss", 1.0}});
    EXPECT_FALSE(selection.due(step, 25));
  }
  EXPECT_EQ(steps, (std::vector<int64_t>{0, 10, 20, 25}));
  EXPECT_FALSE(Selection({}).due(0, 25));
}

TEST(Selection, GoesOnFromItsState) {
  Selection first({.every = 10, .patience = 3}), second({.every = 10, .patience = 3});
  verdicts(first, {0.1, 0.3, 0.2});
  second.restore(first.state(), "a.safetensors");
  EXPECT_EQ(second.best_value(), 0.1);
  EXPECT_EQ(second.step_of_best(), 10);
  EXPECT_FALSE(second.due(30, 100));
  second.offer(40, {{"validation.loss", 0.4}});
  EXPECT_TRUE(second.exhausted());
}

TEST(Selection, AMetricThatIsNotThereIsRefusedWithThoseThatAre) {
  Selection selection({.every = 10, .metric = "validation.clp"});
  EXPECT_THAT(
      [&] {
        selection.offer(0, {{"validation.loss", 1.0}, {"validation.clip", 1.0}});
      },
      ThrowsMessage<Error>("[stages.validation] there is no metric 'validation.clp' (validation.loss, "
                           "validation.clip); did you mean 'validation.clip'?"));
}

}  // namespace
}  // namespace astroclip::train
