#include "explore/latest.h"

#include <gtest/gtest.h>

#include <string>

namespace astroclip::explore {
namespace {

TEST(Latest, KeepsWhatWasAskedForLastWithinItsBytes) {
  Latest<std::string, int> latest(10);
  latest.add("a", 1, 4);
  latest.add("b", 2, 4);
  ASSERT_NE(latest.find("a"), nullptr);
  latest.add("c", 3, 4);  // in the place of b, since a was asked for later
  EXPECT_EQ(latest.find("b"), nullptr);
  ASSERT_NE(latest.find("a"), nullptr);
  EXPECT_EQ(*latest.find("a"), 1);
  EXPECT_EQ(*latest.find("c"), 3);
  EXPECT_EQ(latest.add("large", 4, 11), 4) << "the last one is kept whatever its size";
  EXPECT_EQ(latest.find("a"), nullptr);
  ASSERT_NE(latest.find("large"), nullptr);
  latest.add("large", 5, 2);
  latest.add("d", 6, 8);
  EXPECT_EQ(*latest.find("large"), 5) << "its new bytes count";
  EXPECT_EQ(*latest.find("d"), 6);
}

}  // namespace
}  // namespace astroclip::explore
