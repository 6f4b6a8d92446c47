// Expectations are worked out by hand or stand in the literature.
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "compare/render.h"

namespace astroclip::compare {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

MeasuredRun run(const std::string& label, int64_t seed, double rank, double agreement) {
  return {"runs/" + label + ",seed=" + std::to_string(seed),
          label,
          "configuration = \"" + label + "\"",
          seed,
          {{"median rank image", Better::less, true, rank}, {"agree@1 image", Better::more, false, agreement}}};
}

std::vector<MeasuredRun> runs() {
  return {run("loss=clip", 1, 10.0, 0.5),   run("loss=clip", 2, 12.0, 0.6),   run("loss=clip", 3, 14.0, 0.7),
          run("loss=siglip", 1, 9.0, 0.55), run("loss=siglip", 2, 10.0, 0.6), run("loss=siglip", 3, 11.0, 0.8),
          run("loss=vicreg", 1, 30.0, 0.1), run("loss=vicreg", 2, 31.5, 0.2), run("loss=vicreg", 3, 34.0, 0.3)};
}

std::string message(const std::vector<MeasuredRun>& of, const Request& request) {
  try {
    (void)compare(of, request);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Statistics, StandardErrorIsOfTheSampleDeviation) {
  const std::vector<double> values = {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0};  // mean 5, squares 32
  EXPECT_DOUBLE_EQ(mean(values), 5.0);
  EXPECT_DOUBLE_EQ(standard_error(values), std::sqrt(32.0 / 7.0 / 8.0));
  EXPECT_TRUE(std::isnan(standard_error(std::vector<double>{1.0})));
}

TEST(Statistics, TTestReproducesStudentsSleepData) {
  // Student (1908): additional hours of sleep of two drugs on ten patients; t = 4.06, 9 degrees, p = 0.00283.
  const std::vector<double> differences = {1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4};
  EXPECT_NEAR(t_test(differences), 0.002833, 1e-6);
  EXPECT_TRUE(std::isnan(t_test(std::vector<double>{1.0})));
  EXPECT_TRUE(std::isnan(t_test(std::vector<double>{1.0, 1.0, 1.0})));
}

TEST(Statistics, HolmStepsDownAndNeverDecreases) {
  // 0.01·4, 0.013·3, 0.04·2, 0.05·1, each at least the one before; NaN is no test.
  EXPECT_THAT(holm({0.04, 0.01, NAN, 0.013, 0.05}),
              ElementsAre(DoubleNear(0.08, 1e-12), DoubleNear(0.04, 1e-12), testing::IsNan(), DoubleNear(0.04, 1e-12),
                          DoubleNear(0.08, 1e-12)));
  EXPECT_THAT(holm({0.9, 0.8}), ElementsAre(1.0, 1.0));
}

TEST(Statistics, BootstrapIntervalOfManyValuesIsTheNormalOne) {
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(std::sin(i * 12.9898) * 3.0 + 1.0);
  const Interval interval = bootstrap_interval(values, 0.95);
  const double half = 1.96 * standard_error(values);
  EXPECT_NEAR(interval.low, mean(values) - half, 0.1 * half);
  EXPECT_NEAR(interval.high, mean(values) + half, 0.1 * half);
  const Interval again = bootstrap_interval(values, 0.95);
  EXPECT_EQ(interval.low, again.low);
  // Of two values it is their range: one resample in four has but the smaller one.
  const Interval two = bootstrap_interval(std::vector<double>{1.0, 3.0}, 0.95);
  EXPECT_EQ(two.low, 1.0);
  EXPECT_EQ(two.high, 3.0);
}

TEST(Compare, GroupsSeedsAndPairsThem) {
  const Comparison table = compare(runs(), {"clip", {"rank"}});
  EXPECT_THAT(table.configurations, ElementsAre("loss=clip", "loss=siglip", "loss=vicreg"));
  EXPECT_EQ(table.baseline, "loss=clip");
  const Cell& clip = table.cells[0][0];
  EXPECT_DOUBLE_EQ(clip.mean, 12.0);
  EXPECT_NEAR(clip.error, 2.0 / std::sqrt(3.0), 1e-12);
  EXPECT_TRUE(std::isnan(clip.p));
  const Cell& siglip = table.cells[1][0];  // −1, −2, −3: t = −2√3, two degrees of freedom, p = 1 − t/√(t² + 2)
  EXPECT_DOUBLE_EQ(siglip.difference, -2.0);
  EXPECT_NEAR(siglip.p, 1.0 - std::sqrt(12.0 / 14.0), 1e-9);
  EXPECT_NEAR(siglip.p_holm, siglip.p, 1e-12);  // the larger of two
  EXPECT_EQ(siglip.interval.low, -3.0);
  EXPECT_EQ(siglip.interval.high, -1.0);
  const Cell& vicreg = table.cells[2][0];  // 20, 19.5, 20
  EXPECT_NEAR(vicreg.p_holm, 2.0 * vicreg.p, 1e-12);
  EXPECT_LT(vicreg.p_holm, 0.05);
  EXPECT_TRUE(siglip.is_best);
  EXPECT_FALSE(clip.is_best || vicreg.is_best);
}

/// Biases of either sign average to nothing, but none of them is near zero.
TEST(Compare, WhatShouldBeNearZeroIsJudgedBySeed) {
  std::vector<MeasuredRun> biased;
  const double large[] = {0.10, -0.10, 0.11, -0.11}, small[] = {0.010, 0.011, 0.009, 0.010};
  for (int64_t seed = 0; seed < 4; ++seed) {
    for (const auto& [label, values] : {std::pair("large", large), std::pair("small", small)}) {
      biased.push_back({std::string(label) + std::to_string(seed), label, label, seed, {}});
      biased.back().measures = {{"bias image", Better::nearer_zero, true, values[seed], 0.02}};
    }
  }
  const Comparison table = compare(biased, {"large", {}});
  EXPECT_THAT(table.measures, ElementsAre("|bias image|"));
  EXPECT_NEAR(table.cells[0][0].mean, 0.105, 1e-12);
  EXPECT_FALSE(table.cells[0][0].is_best);
  EXPECT_TRUE(table.cells[1][0].is_best);
  EXPECT_NEAR(table.cells[1][0].difference, -0.095, 1e-12);
  EXPECT_LT(table.cells[1][0].p, 1e-3);
  EXPECT_NEAR(table.cells[0][0].object_error, 0.02, 1e-12);
}

TEST(Compare, TheBaselineStandsFirst) {
  const Comparison table = compare(runs(), {"loss=siglip", {"rank"}});
  EXPECT_THAT(table.configurations, ElementsAre("loss=siglip", "loss=clip", "loss=vicreg"));
  EXPECT_DOUBLE_EQ(table.cells[1][0].difference, 2.0);
}

TEST(Compare, MeasuresAreChosenByPattern) {
  EXPECT_THAT(compare(runs(), {}).measures, ElementsAre("median rank image"));  // what the task puts first
  EXPECT_THAT(compare(runs(), {"", {"AGREE@?"}}).measures, ElementsAre("agree@1 image"));
  EXPECT_EQ(message(runs(), {"", {"recall"}}),
            "no metric's name contains 'recall'; the metrics are: median rank image, agree@1 image");
}

TEST(Compare, SaysWhatItCannotCompare) {
  EXPECT_EQ(message({}, {}), "there are no finished runs to compare");
  EXPECT_EQ(message(runs(), {"dino", {}}),
            "there is no configuration 'dino'; the configurations are: loss=clip, loss=siglip, loss=vicreg");
  auto twice = runs();
  twice.push_back(run("loss=clip", 1, 3.0, 0.5));
  EXPECT_EQ(message(twice, {}), "runs/loss=clip,seed=1 and runs/loss=clip,seed=1 have the same configuration and seed");
}

TEST(Compare, SaysWhichRunsAreOfOtherDataOrCode) {
  auto all = runs();
  for (MeasuredRun& one : all)
    one.provenance = Provenance::parse("dataset = { labels = \"a\" }\ncode = { astroclip = \"1\" }", "");
  EXPECT_THAT(compare(all, {}).unlike, testing::IsEmpty());
  all[4].provenance = Provenance::parse("dataset = { labels = \"b\" }\ncode = { astroclip = \"2\" }", "");
  const std::string sentence =
      "runs/loss=clip,seed=1 and runs/loss=siglip,seed=2 differ in the dataset's labels, astroclip";
  EXPECT_THAT(compare(all, {}).unlike, ElementsAre(sentence));
  EXPECT_THAT(to_markdown(compare(all, {})), HasSubstr(sentence + "."));
}

TEST(Render, MarkdownIsAlignedAndMarksTheBest) {
  const std::string text = to_markdown(compare(runs(), {"clip", {"rank"}}));
  EXPECT_THAT(text, HasSubstr("| configuration | seeds | median rank image |\n"
                              "|---------------|-------|-------------------|\n"
                              "| loss=clip     | 3     | 12.0 ± 1.2        |\n"
                              "| loss=siglip   | 3     | **10.00 ± 0.58**  |\n"
                              "| loss=vicreg   | 3     | 31.8 ± 1.2*       |\n"));
  EXPECT_THAT(
      text, HasSubstr("| median rank image | loss=siglip   | -2.0       | -3.0 … -1.0     | 0.0742   | 0.0742      |"));
}

TEST(Render, LatexEscapesAndCsvKeepsEveryDigit) {
  auto some = runs();
  for (MeasuredRun& one : some) one.measures[0].name = "σ_NMAD image → spectrum";
  const Comparison table = compare(some, {"clip", {"NMAD"}});
  const std::string latex = to_latex(table);
  EXPECT_THAT(latex, HasSubstr("configuration & seeds & $\\sigma$\\_NMAD image $\\to$ spectrum \\\\\n\\midrule\n"));
  EXPECT_THAT(latex, HasSubstr("loss=siglip & 3 & \\textbf{10.00 $\\pm$ 0.58} \\\\\n"));
  EXPECT_THAT(latex, HasSubstr("31.8 $\\pm$ 1.2$^*$ \\\\\n\\bottomrule\n"));
  const std::string csv = to_csv(table);
  EXPECT_THAT(csv, HasSubstr("\"loss=clip\",\"σ_NMAD image → spectrum\",3,12,1.154700538379251"));
  EXPECT_THAT(csv, HasSubstr(",,false,\"loss=clip\",0,,,,,\n"));
}

}  // namespace
}  // namespace astroclip::compare
