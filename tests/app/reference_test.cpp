// docs/reference.md says what the schemas say.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/program.h"

namespace {

TEST(Reference, IsWhatTheSchemasPrint) {
  std::ifstream file(REFERENCE_PAGE);
  std::stringstream page;
  page << file.rdbuf();
  const auto printed = astroclip::testing_support::run_program("describe --markdown");
  ASSERT_EQ(printed.status, 0) << printed.err;
  EXPECT_EQ(page.str(), printed.out) << "write it anew: build/bin/astroclip describe --markdown > docs/reference.md";
}

}  // namespace
