// Metrics of densities against qp 1.1.4 (PyPI: qp-prob) for an ensemble on a grid, with truths t:
//
//   e = qp.Ensemble(qp.interp, data=dict(xvals=grid, yvals=pdf))
//   e[i].cdf(t[i]), e[i].pdf(t[i]), e[i].ppf(0.84), PIT(e, t).evaluate_PIT_KS()
//   trapezoid(e.pdf(grid)**2, grid) - 2 * e[i].pdf(t[i]); CDELossMetric(grid).evaluate(e, grid points nearest to t)
//   CRPS: scipy.integrate.quad of (e[i].cdf(y) - (y >= t[i]))**2 between the points of the grid and t[i]
#include "probe/densities.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "support/message_of.h"

namespace astroclip::probe {
namespace {

constexpr double true_values[] = {0.35, 0.5, 1.33, 1.95, 0.62};

/// A narrow normal on a wide one, on 41 points from 0 to 2.
Densities ensemble() {
  constexpr double centres[] = {0.3, 0.8, 1.1, 1.5, 0.6}, deviations[] = {0.1, 0.2, 0.3, 0.15, 0.05};
  std::vector<double> grid, values;
  for (int i = 0; i <= 40; ++i) grid.push_back(2.0 * i / 40.0);
  for (size_t object = 0; object < 5; ++object) {
    for (const double at : grid) {
      values.push_back(std::exp(-0.5 * std::pow((at - centres[object]) / deviations[object], 2)) +
                       0.3 * std::exp(-0.5 * std::pow((at - 1.0) / 0.4, 2)));
    }
  }
  return {std::move(grid), std::move(values)};
}

template <class Function>
void expect_each(Function function, const std::vector<double>& expected) {
  const Densities all = ensemble();
  for (int64_t i = 0; i < 5; ++i) EXPECT_NEAR(function(all, i, true_values[i]), expected[static_cast<size_t>(i)], 1e-6);
}

TEST(Densities, AreAsOfQp) {
  expect_each([](const Densities& all, int64_t i, double truth) { return all.cumulative(i, truth); },
              {0.3395623032407158, 0.08012438150292725, 0.7838492194667924, 0.9982896325947588, 0.30431384114696286});
  expect_each([](const Densities& all, int64_t i, double truth) { return all.density(i, truth); },
              {1.758896061689232, 0.5787083878040769, 0.9138582368934914, 0.043078832737929375, 2.4472687343228556});
  expect_each([](const Densities& all, int64_t i, double) { return all.quantile(i, 0.84); },
              {1.213393473745365, 1.1452194595187888, 1.3964253980425911, 1.6077407120864866, 1.2949068520177187});
  expect_each([](const Densities& all, int64_t i, double truth) { return all.cde_loss(i, truth); },
              {-2.5978377657974425, -0.11917630530134926, -0.9631876546970383, 0.877214631525486, -3.784462714746896});
  expect_each([](const Densities& all, int64_t i, double truth) { return all.crps(i, truth); },
              {0.148845408059129, 0.22976539582860814, 0.151765801089744, 0.467556028708942, 0.12094532260253156});
}

/// qp takes the density at the nearest point of the grid.
TEST(Densities, HaveTheLossOfQpAtPointsOfTheGrid) {
  const Densities all = ensemble();
  const double at[] = {0.35, 0.5, 1.35, 1.95, 0.6};
  double loss = 0.0;
  for (int64_t i = 0; i < 5; ++i) loss += all.cde_loss(i, at[i]) / 5.0;
  EXPECT_NEAR(loss, -1.4402707534744046, 1e-6);
}

TEST(Densities, TheirTransformsAreJudgedAsInQp) {
  const Densities all = ensemble();
  std::vector<double> transforms;
  for (int64_t i = 0; i < 5; ++i) transforms.push_back(all.cumulative(i, true_values[i]));
  EXPECT_NEAR(distance_from_uniform(transforms), 0.2604376967592843, 1e-6);
  EXPECT_EQ(coverage(transforms, 0.68), 0.6);
  EXPECT_TRUE(std::isnan(distance_from_uniform({})));
}

TEST(Densities, BeyondTheGridTheTruthIsAsFarAsItIs) {
  const Densities box({0.0, 1.0}, {3.0, 3.0});
  EXPECT_EQ(box.density(0, -0.1), 0.0);
  EXPECT_EQ(box.cumulative(0, 1.5), 1.0);
  // ∫ y² dy from 0 to 1, and 1 for each unit beyond.
  EXPECT_NEAR(box.crps(0, 3.0), 1.0 / 3.0 + 2.0, 1e-12);
  EXPECT_NEAR(box.crps(0, -1.0), 1.0 / 3.0 + 1.0, 1e-12);
}

TEST(Densities, RefusesWhatIsNone) {
  using testing_support::message_of;
  EXPECT_EQ(message_of([] {
              Densities({0.0, 0.0}, {1.0, 1.0});
            }),
            "[densities] the grid must rise and have two points or more, it has 2");
  EXPECT_EQ(message_of([] {
              Densities({0.0, 1.0}, {1.0, 1.0, 1.0});
            }),
            "[densities] 3 values are not of objects with 2 grid points each");
  EXPECT_EQ(message_of([] {
              Densities({0.0, 1.0}, {1.0, 1.0, 0.0, 0.0});
            }),
            "[densities] the density of object 1 of 2 has the integral 0; it must be positive, and no value negative");
}

/// Of many normal samples the density is a normal one, a little wider.
TEST(KernelDensities, OfNormalSamplesAreNormal) {
  Rng rng(15, RngStream::tests);
  std::vector<double> samples(20000), grid(401);
  for (double& sample : samples) sample = 3.0 + 0.5 * rng.normal();
  for (size_t i = 0; i < grid.size(); ++i) grid[i] = 0.015 * static_cast<double>(i);
  const Densities found(grid, kernel_densities(samples, std::ssize(samples), grid));
  for (const double at : {2.0, 2.5, 3.0, 3.7}) {
    const double expected = std::exp(-2.0 * (at - 3.0) * (at - 3.0)) / (0.5 * std::sqrt(2.0 * M_PI));
    EXPECT_NEAR(found.density(0, at), expected, 0.03) << at;
  }
}

/// A kernel alone would widen a normal density of 256 samples by 4 %.
TEST(KernelDensities, KeepTheVarianceOfTheSamples) {
  Rng rng(16, RngStream::tests);
  constexpr int64_t each = 256;
  std::vector<double> samples(3 * each), grid(401);
  for (double& sample : samples) sample = 3.0 + 0.5 * rng.normal();
  for (size_t i = 0; i < grid.size(); ++i) grid[i] = 0.015 * static_cast<double>(i);
  const Densities found(grid, kernel_densities(samples, each, grid));
  for (int64_t object = 0; object < 3; ++object) {
    const double* own = samples.data() + object * each;
    const double mean = std::accumulate(own, own + each, 0.0) / each;
    double variance = 0.0, of_density = 0.0;
    for (int64_t i = 0; i < each; ++i) variance += (own[i] - mean) * (own[i] - mean) / each;
    for (const double at : grid) of_density += 0.015 * found.density(object, at) * (at - mean) * (at - mean);
    EXPECT_NEAR(std::sqrt(of_density / variance), 1.0, 0.005);
  }
}

}  // namespace
}  // namespace astroclip::probe
