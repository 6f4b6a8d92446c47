// The types in the comments of the page's modules, as Debian's TypeScript checks them; skipped where it is not
// installed.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace astroclip::explore {
namespace {

TEST(PageTypes, Hold) {
  if (!std::filesystem::exists("/usr/bin/tsc"))
    GTEST_SKIP() << "tsc is not installed (apt-get install node-typescript)";
  FILE* pipe = popen(
      "cd '" ASTROCLIP_PAGE
      "' && tsc --noEmit --allowJs --checkJs --strict --target es2022 --module es2022 --moduleResolution node --lib "
      "es2022,dom,dom.iterable *.js 2>&1",
      "r");
  ASSERT_NE(pipe, nullptr);
  std::string said;
  char buffer[4096];
  for (size_t count = 0; (count = fread(buffer, 1, sizeof buffer, pipe)) > 0;) said.append(buffer, count);
  EXPECT_EQ(pclose(pipe), 0) << said;
}

}  // namespace
}  // namespace astroclip::explore
