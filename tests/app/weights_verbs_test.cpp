#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>

#include "support/fixtures.h"

namespace {

using astroclip::testing_support::fixture;
using ::testing::HasSubstr;

struct Outcome {
  int status = -1;
  std::string output;  ///< both streams
};

Outcome run(const std::string& arguments) {
  const std::string command = "'" ASTROCLIP_BINARY "' " + arguments + " 2>&1";
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  for (size_t n = 0; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.output.append(buffer, n);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

TEST(WeightsVerbs, InspectListsTensorsAndMetadata) {
  const auto outcome = run("inspect '" + fixture("specformer.ckpt") + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("PyTorch, zip: 31 tensors, 97"));
  EXPECT_THAT(outcome.output, ::testing::ContainsRegex("\n  position_embed.weight +f32   \\[800, 48\\]\n"));
  EXPECT_THAT(outcome.output, HasSubstr("\n  hyper_parameters.embed_dim = 48\n"));
}

TEST(WeightsVerbs, ConvertWritesWhatInspectThenLists) {
  const std::string out = (std::filesystem::path(::testing::TempDir()) / "astroclip_verbs.safetensors").string();
  auto outcome = run("convert '" + fixture("specformer.ckpt") + "' '" + out + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, ::testing::MatchesRegex(".*: 31 tensors, model [0-9a-f]{32}\n"));
  outcome = run("inspect '" + out + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("\n  converted_from = specformer.ckpt\n"));
}

TEST(WeightsVerbs, BadInputIsAClearError) {
  auto outcome = run("inspect /nowhere/x.ckpt");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.output, "astroclip: error: /nowhere/x.ckpt: cannot read: No such file or directory\n");
  const std::string same = fixture("specformer.ckpt");
  outcome = run("convert '" + same + "' '" + same + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.output, "astroclip: error: " + same + ": IN and OUT are one file\n");
  outcome = run("convert onlyone");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, HasSubstr("convert needs the file to read and the file to write\n"));
}

}  // namespace
