// Classifiers and their metrics against scikit-learn 1.9.1, on the vectors and votes of the fixture morphology_mlp, of
// which the largest vote is the class:
//
//   knn = KNeighborsClassifier(16, weights="distance").fit(x, y)
//   logistic = LogisticRegression(C=0.5, tol=1e-14, max_iter=100000).fit(x, y)
//   ridge = RidgeClassifier(alpha=3.0).fit(x, y)
//   accuracy_score(t, p), balanced_accuracy_score(t, p), f1_score(t, p, average="weighted"), confusion_matrix(t, p)
#include "probe/classification.h"

#include <gmock/gmock.h>

#include <cmath>

#include "models/model_support.h"
#include "probe/probes.h"

namespace astroclip::probe {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

struct Galaxies {
  Sample train;
  Matrix test;
  Answers truth;
};

/// One class against the others if `two`.
Galaxies galaxies(bool two = false) {
  const testing_support::Fixture file("morphology_mlp", Device::host());
  const auto matrix = [&](const char* name) {
    const Tensor tensor = file[name];
    return Matrix{tensor.size(0), tensor.size(1), tensor.to_floats()};
  };
  const auto classes = [&](const char* name) {
    const Answers answers = largest_shares(file.doubles(name), 3);
    std::vector<double> shares(answers.given.begin(), answers.given.end());
    if (!two) return shares;
    std::vector<double> of_two;
    for (size_t i = 0; i < shares.size(); i += 3) of_two.insert(of_two.end(), {1.0 - shares[i], shares[i]});
    return of_two;
  };
  const int64_t count = two ? 2 : 3;
  return {{matrix("train_x"), classes("train_votes"), {}, {}, count, Target::shares},
          matrix("test_x"),
          largest_shares(classes("test_votes"), count)};
}

void expect_metrics(const Probe& probe, const std::vector<double>& metrics, const std::vector<int64_t>& objects,
                    const std::vector<double>& first_shares) {
  const Galaxies all = galaxies();
  const std::vector<double> shares = probe.predict(all.test);
  EXPECT_THAT(std::vector(shares.begin(), shares.begin() + 9), Pointwise(DoubleNear(1e-6), first_shares));
  const Answers predicted = largest_shares(shares, 3);
  EXPECT_THAT((std::vector{accuracy(predicted, all.truth), balanced_accuracy(predicted, all.truth),
                           weighted_f1(predicted, all.truth)}),
              Pointwise(DoubleNear(1e-6), metrics));
  EXPECT_EQ(confusion(predicted, all.truth), objects);
}

TEST(Classifiers, NearestNeighboursVote) {
  expect_metrics(*fit_knn(galaxies().train, 16), {0.63125, 0.6270862749357372, 0.6309989959839357},
                 {27, 7, 10, 6, 43, 13, 6, 17, 31},
                 {0.38186986838051046, 0.18316190331964, 0.43496822829984955, 0.05985085984768415, 0.43663785120462645,
                  0.5035112889476894, 0.26232416923528823, 0.4296244405490335, 0.30805139021567823});
}

TEST(Classifiers, LogisticRegression) {
  expect_metrics(
      *fit_logistic(galaxies().train, 2.0), {0.725, 0.7170993084971581, 0.7258051282051282},
      {28, 5, 11, 2, 48, 12, 4, 10, 40},
      {0.2720564661897888, 0.5261523346104605, 0.20179119919975072, 0.001147436975891771, 0.38673049372553864,
       0.6121220692985696, 0.08572118455639822, 0.3105823421058464, 0.6036964733377554});
}

/// scikit-learn's has one weight where ours has two of opposite sign, so that its penalty is half of ours.
TEST(Classifiers, LogisticRegressionOfTwoClasses) {
  const Galaxies two = galaxies(true);
  const std::vector<double> shares = fit_logistic(two.train, 2.0)->predict(two.test);
  const double expected[] = {0.18203081669923535, 0.000992406924337412, 0.04716461510263377, 0.40215250972284106};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(shares[2 * i + 1], expected[i], 1e-6);
}

/// Its shares are scikit-learn's decision function, halved, plus ½.
TEST(Classifiers, RidgeRegressionOfShares) {
  expect_metrics(*fit_ridge(galaxies().train, 3.0), {0.6875, 0.6794558488106874, 0.6875892438319144},
                 {27, 7, 10, 2, 47, 13, 6, 12, 36},
                 {0.33491291484139785, 0.41201672630107733, 0.25307035885752494, -0.2200691501570291,
                  0.4725898162018227, 0.747479333955207, 0.21185306993829917, 0.3854039919202562, 0.40274293814144413});
}

/// A wide gap between classes: the weights would grow without the penalty.
TEST(Classifiers, LogisticRegressionOfSeparateClasses) {
  const Sample train{{4, 1, {-9, -8, 8, 9}}, {1, 0, 1, 0, 0, 1, 0, 1}, {}, {}, 2, Target::shares};
  const std::vector<double> shares = fit_logistic(train, 1e-3)->predict({2, 1, {-9, 9}});
  EXPECT_GT(shares[0], 0.999);
  EXPECT_GT(shares[3], 0.999);
}

TEST(Answers, OfEqualSharesAreTheFirstOrAll) {
  EXPECT_THAT(largest_shares(std::vector{0.2, 0.4, 0.4}, 3).given, ElementsAre(0, 1, 0));
  EXPECT_THAT(largest_shares(std::vector{0.2, 0.4, 0.4}, 3, Ties::all).given, ElementsAre(0, 1, 1));
}

TEST(Answers, MetricsOfNoneAreNoNumbers) {
  const Answers none{3, {}};
  EXPECT_TRUE(std::isnan(accuracy(none, none)) && std::isnan(balanced_accuracy(none, none)) &&
              std::isnan(weighted_f1(none, none)));
}

}  // namespace
}  // namespace astroclip::probe
