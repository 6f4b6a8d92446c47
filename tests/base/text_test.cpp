#include "base/text.h"

#include <gtest/gtest.h>

namespace astroclip {
namespace {

TEST(Text, SuggestsTheNearestNameOrNone) {
  EXPECT_EQ(suggestion("dimm", {"depth", "dim"}), "; did you mean 'dim'?");
  EXPECT_EQ(suggestion("vti", {"vit", "specformer"}), "; did you mean 'vit'?");
  EXPECT_EQ(suggestion("spekformer", {"vit", "specformer"}), "; did you mean 'specformer'?");
  EXPECT_EQ(suggestion("steps", {"loss", "batch"}), "");
  EXPECT_EQ(suggestion("k", {"a", "b"}), "");
  EXPECT_EQ(suggestion("x", {}), "");
  EXPECT_EQ(suggestion("vit", {"vit"}), "");  // nothing else was meant
}

TEST(Text, TrimsBlanksOfAnyKind) {
  EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(Text, ComparesAsciiLettersOfAnyCase) {
  EXPECT_TRUE(same_letters("TargetID", "TARGETid"));
  EXPECT_FALSE(same_letters("id", "ids"));
  EXPECT_FALSE(same_letters("@", "`"));  // these differ as letters of two cases do
}

TEST(Text, WidthCountsCharacters) {
  EXPECT_EQ(text_width(""), 0U);
  EXPECT_EQ(text_width("12 → 7"), 6U);
  EXPECT_EQ(text_width("σ_NMAD – β"), 10U);
}

}  // namespace
}  // namespace astroclip
