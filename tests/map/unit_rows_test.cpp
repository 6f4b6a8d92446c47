#include "map/unit_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace astroclip::map {
namespace {

using testing::ElementsAre;
using testing::FloatEq;

const std::vector<float> some_rows = {3, 4, std::nanf(""), 1, 0, 0, 0, std::numeric_limits<float>::infinity(), -2, 0};

TEST(UnitRows, AreThoseThatAreFinite) {
  const UnitRows units(some_rows, 2);
  ASSERT_EQ(units.count(), 3);
  EXPECT_THAT((std::vector{units.row(0), units.row(1), units.row(2)}), ElementsAre(0, 2, 4));
  const Matrix chosen = units.source().select(std::vector<int64_t>{2, 0, 1});
  EXPECT_THAT(chosen.values, ElementsAre(-1.0F, 0.0F, FloatEq(0.6F), FloatEq(0.8F), 0.0F, 0.0F));
  std::vector<float> all;
  units.for_each_block([&](int64_t first, const Matrix& vectors) {
    EXPECT_EQ(first, 0);
    all = vectors.values;
  });
  EXPECT_THAT(all, ElementsAre(FloatEq(0.6F), FloatEq(0.8F), 0.0F, 0.0F, -1.0F, 0.0F));
}

TEST(UnitRows, SampleIsInOrder) {
  const UnitRows units(some_rows, 2);
  EXPECT_THAT(units.sample(3, 1), ElementsAre(0, 1, 2));
  const auto two = units.sample(2, 1);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_LT(two[0], two[1]);
}

}  // namespace
}  // namespace astroclip::map
