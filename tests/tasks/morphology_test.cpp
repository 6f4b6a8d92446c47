// Answers of Galaxy Zoo's volunteers from embeddings whose worth is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "support/tokens_in_memory.h"
#include "testing/plugins.h"

namespace astroclip {
namespace {

using testing::HasSubstr;
using testing_support::make_task;

/// 80 training and 40 test objects with votes on bars: a quarter strong, a quarter weak, half none. One representation
/// tells them apart, another is noise. The first three test objects have 20 votes, all others 40.
TaskInput votes_on_bars() {
  TaskInput input;
  Rng rng(5, RngStream::tests);
  Representation telling{"telling", "image", false, Role::model, {}, {}};
  Representation noise{"noise", "image", false, Role::floor, {}, {}};
  const auto fill = [&](int64_t rows, Vectors Representation::*part, std::map<std::string, std::vector<double>>& labels,
                        std::vector<int64_t>& ids) {
    Matrix plain{rows, 2}, random{rows, 2};
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t answer = std::min<int64_t>(i % 4, 2);
      const double angle = 2.0 * static_cast<double>(answer) + 0.1 * rng.normal();
      plain.values.push_back(static_cast<float>(std::cos(angle)));
      plain.values.push_back(static_cast<float>(std::sin(angle)));
      for (int k = 0; k < 2; ++k) random.values.push_back(static_cast<float>(rng.normal()));
      ids.push_back(i);
      const char* names[] = {"bar_strong_fraction", "bar_weak_fraction", "bar_no_fraction"};
      for (int64_t a = 0; a < 3; ++a) labels[names[a]].push_back(a == answer ? 0.8 : 0.1);
      labels["bar_total-votes"].push_back(part == &Representation::test && i < 3 ? 20.0 : 40.0);
    }
    telling.*part = of_all(plain);
    noise.*part = of_all(random);
  };
  fill(80, &Representation::train, input.train_labels, input.train_ids);
  fill(40, &Representation::test, input.test_labels, input.test_ids);
  input.representations = {telling, noise};
  return input;
}

double metric_of(const Report& report, const std::string& representation, const std::string& method,
                 const std::string& metric) {
  for (const Measurement& row : report.rows) {
    if (row.representation != representation || row.method != method) continue;
    for (const Metric& one : row.values) {
      if (one.name == metric) return one.value;
    }
  }
  ADD_FAILURE() << "no " << metric << " of " << representation << " " << method;
  return NAN;
}

TEST(MorphologyTask, MeasuresProbesBesideTheMajorityAnswer) {
  const auto found = make_task("morphology", "questions = [\"bar\"]\nprobes = [\"knn\"]\nk = 5")->run(votes_on_bars());
  ASSERT_EQ(found.reports.size(), 3U);
  const Report& answers = found.reports[0];
  EXPECT_EQ(metric_of(answers, "telling", "bar knn", "accuracy"), 1.0);
  EXPECT_EQ(metric_of(answers, "telling", "bar knn", "balanced"), 1.0);
  EXPECT_EQ(metric_of(answers, "telling", "bar knn", "F1"), 1.0);
  EXPECT_LT(metric_of(answers, "noise", "bar knn", "balanced"), 0.6);
  // Of the 37 test objects with votes enough, numbers 3 to 39, 19 have the answer of most training objects.
  EXPECT_NEAR(metric_of(answers, "majority answer", "bar majority", "accuracy"), 19.0 / 37.0, 1e-12);
  EXPECT_NEAR(metric_of(answers, "majority answer", "bar majority", "balanced"), 1.0 / 3.0, 1e-12);
  // F1 of that answer is 2·19/(37 + 19), weighted by 19/37.
  EXPECT_NEAR(metric_of(answers, "majority answer", "bar majority", "F1"), 38.0 / 56.0 * 19.0 / 37.0, 1e-12);
  for (const Measurement& row : answers.rows) {
    EXPECT_EQ(row.n_train, 80);
    EXPECT_EQ(row.n_test, 37);
  }
  EXPECT_THAT(answers.note,
              HasSubstr("Test objects have at least 35 votes on a question; left out with fewer: 3 on bar."));
  EXPECT_EQ(answers.protocol, "own");
  EXPECT_EQ(metric_of(found.reports[1], "telling", "knn", "accuracy"), 1.0);
  const Report& confusion = found.reports[2];
  EXPECT_EQ(metric_of(confusion, "telling", "knn, true: strong", "strong"), 1.0);
  EXPECT_EQ(metric_of(confusion, "telling", "knn, true: weak", "no"), 0.0);
  EXPECT_EQ(confusion.rows.size(), 3U) << "of the model alone";
}

TEST(MorphologyTask, TakesAnotherLeastNumberOfVotes) {
  const auto measured = [](const std::string& min_votes) {
    return make_task("morphology", "questions = [\"bar\"]\nprobes = [\"knn\"]\nk = 5\nmin_votes = " + min_votes)
        ->run(votes_on_bars())
        .reports.at(0);
  };
  const Report twenty = measured("20"), forty = measured("40");
  EXPECT_EQ(twenty.rows.at(0).n_test, 40);
  EXPECT_THAT(twenty.note, HasSubstr("Test objects have at least 20 votes on a question."));
  EXPECT_EQ(forty.rows.at(0).n_test, 37);
  EXPECT_THAT(forty.note,
              HasSubstr("Test objects have at least 40 votes on a question; left out with fewer: 3 on bar."));
}

TEST(MorphologyTask, AnAttentiveProbeLearnsSharesOfVotes) {
  TaskInput input = votes_on_bars();
  input.representations.resize(1);
  Representation& telling = input.representations[0];
  // Each object has two tokens: what tells, and the opposite. Their mean is the same for all.
  for (Vectors* vectors : {&telling.train, &telling.test}) {
    Matrix tokens{2 * vectors->values.rows, 3};
    for (int64_t row = 0; row < vectors->values.rows; ++row) {
      const auto own = vectors->values.row(row);
      tokens.values.insert(tokens.values.end(), {own[0], own[1], 1.0F, -own[0], -own[1], -1.0F});
    }
    vectors->tokens = std::make_shared<testing_support::TokensInMemory>(2, tokens);
    vectors->values.values.assign(vectors->values.values.size(), 0.0F);
  }
  const auto found = make_task("morphology",
                               "questions = [\"bar\"]\nprobes = [\"mlp\", \"attentive\"]\nbatch = 10\n"
                               "hidden = [16]\ndropout = 0.0\nlr = 1e-2")
                         ->run(input);
  EXPECT_GT(metric_of(found.reports.at(0), "telling", "bar attentive", "accuracy"), 0.95);
  EXPECT_LT(metric_of(found.reports[0], "telling", "bar mlp", "accuracy"), 0.6);
}

TEST(MorphologyTask, TheNetworkLearnsBothProtocols) {
  for (const std::string protocol : {"published", "corrected"}) {
    const auto found =
        make_task("morphology",
                  "questions = [\"bar\"]\nprobes = [\"mlp\"]\nconfusion = false\nprotocol = \"" + protocol + "\"")
            ->run(votes_on_bars());
    EXPECT_EQ(found.reports.at(0).protocol, protocol);
    EXPECT_GT(metric_of(found.reports[0], "telling", "bar mlp", "accuracy"), 0.7) << protocol;
    EXPECT_EQ(found.reports.size(), 2U);
  }
}

TEST(MorphologyTask, LeavesOutQuestionsThatTooFewWereAsked) {
  TaskInput input = votes_on_bars();
  for (const char* name : {"disk-edge-on_yes_fraction", "disk-edge-on_no_fraction", "disk-edge-on_total-votes"}) {
    input.train_labels[name].assign(80, 0.5);
    input.test_labels[name].assign(40, 0.5);
  }
  const auto found =
      make_task("morphology", "questions = [\"bar\", \"disk-edge-on\"]\nprobes = [\"knn\"]\nk = 5")->run(input);
  EXPECT_EQ(found.reports.at(0).rows.size(), 3U);
  EXPECT_THAT(found.reports[0].note,
              testing::AllOf(HasSubstr("left out with fewer: 40 on disk-edge-on, 3 on bar."),
                             HasSubstr("Not measured, as fewer than two objects have the votes: disk-edge-on.")));
}

TEST(MorphologyTask, ReadsVotesOfTheCatalogue) {
  EXPECT_THAT(make_task("morphology", "questions = [\"t03_bar\"]\ncatalogue = \"galaxy_zoo_2\"\nvotes = \"debiased\"")
                  ->labels(),
              testing::ElementsAre("t03_bar_total-votes", "t03_bar_a06_bar_debiased", "t03_bar_a07_no_bar_debiased"));
  EXPECT_EQ(make_task("morphology")->labels().size(), 44U);
  EXPECT_THAT(
      [] { make_task("morphology", "questions = [\"bars\"]"); },
      testing::ThrowsMessage<Error>(HasSubstr("'questions' names 'bars'; the questions of 'galaxy_zoo_decals' are "
                                              "smooth-or-featured, disk-edge-on, ")));
  EXPECT_THAT([] { make_task("morphology", "protocol = \"published\"\nmin_votes = 20"); },
              testing::ThrowsMessage<Error>(HasSubstr("'protocol' sets k = 64, hidden = [256, 256, 256]")));
}

}  // namespace
}  // namespace astroclip
