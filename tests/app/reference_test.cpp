// The pages of docs/ that are made from schemas say what the schemas say.
#include <gtest/gtest.h>

#include "io/output/durable_file.h"
#include "support/program.h"

namespace {

void expect_page(const std::string& page, const std::string& arguments) {
  const auto printed = astroclip::testing_support::run_program(arguments);
  ASSERT_EQ(printed.status, 0) << printed.err;
  EXPECT_EQ(astroclip::io::read_text(DOCS "/" + page), printed.out) << "write it anew: make docs";
}

TEST(Reference, IsWhatTheSchemasPrint) {
  expect_page("reference.md", "describe experiment --markdown");
  expect_page("plugins.md", "describe --markdown");
}

}  // namespace
