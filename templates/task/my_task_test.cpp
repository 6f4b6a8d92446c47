#include <gtest/gtest.h>
#include <testing/plugins.h>

namespace {

using namespace astroclip;
using namespace astroclip::testing_support;

/// The first measurement on test embeddings [rows, 2].
Measurement measure(const std::vector<float>& values, const std::string& toml = "") {
  TaskInput input;
  Representation representation;
  representation.name = "aligned";
  representation.modality = "image";
  representation.test = of_all({static_cast<int64_t>(values.size()) / 2, 2, values});
  input.representations = {representation};
  return make_task("my_task", toml)->run(input).reports.at(0).rows.at(0);
}

TEST(MyTaskTest, ObjectsInOnePointAreNotSpread) {
  EXPECT_NEAR(measure({1, 0, 2, 0, 3, 0}).values[0].value, 0.0, 1e-12);  // length does not count
}

TEST(MyTaskTest, TwoOppositeObjectsAreAtASquaredDistanceOfFour) {
  EXPECT_NEAR(measure({1, 0, -1, 0}, "t = 3.0").values[0].value, -12.0, 1e-12);
}

TEST(MyTaskTest, TakesNoMoreThanTheLimit) {
  EXPECT_NEAR(measure({1, 0, 1, 0, -1, 0}, "limit = 2").values[0].value, 0.0, 1e-12);
}

}  // namespace
