#include "base/table.h"

#include <gtest/gtest.h>

namespace astroclip {
namespace {

TEST(Table, ColumnsLineUpByCharactersNotBytes) {
  EXPECT_EQ(format_table({{"from", "σ", "R²"}, {"a → b", "", "10"}, {"x", "y", "–"}}, "> ", 2),
            "> from   σ  R²\n"
            "> a → b     10\n"
            "> x      y   –\n");
}

TEST(Table, LinesDoNotEndInSpaces) {
  EXPECT_EQ(format_table({{"long", "a"}, {"b", ""}, {"", ""}}), "  long  a\n  b\n\n");
  EXPECT_EQ(format_table({}), "");
}

TEST(Table, MarkdownHasARuleBelowItsHeader) {
  EXPECT_EQ(markdown_table({{"σ", "name"}, {"0.5", "a"}}),
            "| σ   | name |\n"
            "|-----|------|\n"
            "| 0.5 | a    |\n");
}

}  // namespace
}  // namespace astroclip
