#include "base/markup.h"

#include <gtest/gtest.h>

namespace astroclip {
namespace {

TEST(MarkupText, IsNeverTakenAsMarkup) {
  EXPECT_EQ(markup_text("a < b & 'c' > \"d\""), "a &lt; b &amp; &#39;c&#39; &gt; &quot;d&quot;");
  EXPECT_EQ(markup_text(""), "");
}

TEST(MarkupText, KeepsCharactersOfUtf8Alone) {
  EXPECT_EQ(markup_text("Hα 𝛼\t\n"), "Hα 𝛼\t\n");
  EXPECT_EQ(markup_text("\x01 \x7F"), "? ?");
  EXPECT_EQ(markup_text("\xCE"), "?");                 // cut
  EXPECT_EQ(markup_text("\xC0\xBC"), "??");            // '<' in more bytes than it takes
  EXPECT_EQ(markup_text("\xF5\x80\x80\x80"), "????");  // beyond Unicode
  EXPECT_EQ(markup_text("\xE2\x82<"), "??&lt;");
}

}  // namespace
}  // namespace astroclip
