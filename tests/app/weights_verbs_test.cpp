#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/durable_file.h"
#include "support/fixtures.h"
#include "support/program.h"

namespace {

using astroclip::testing_support::fixture;
using astroclip::testing_support::run_program;
using astroclip::testing_support::scratch;
using ::testing::HasSubstr;

TEST(WeightsVerbs, InspectListsTensorsAndMetadata) {
  const auto outcome = run_program("inspect '" + fixture("specformer.ckpt") + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("PyTorch, zip: 31 tensors, 97"));
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("\n  position_embed.weight +f32   \\[800, 48\\]\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\n  hyper_parameters.embed_dim = 48\n"));
}

TEST(WeightsVerbs, ConvertWritesWhatInspectThenLists) {
  const std::string out = scratch("verbs.safetensors");
  auto outcome = run_program("convert '" + fixture("specformer.ckpt") + "' '" + out + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, ::testing::MatchesRegex(".*: 31 tensors, model [0-9a-f]{32}\n"));
  outcome = run_program("inspect '" + out + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("\n  converted_from = specformer.ckpt\n"));
}

std::string architecture_of(int64_t dim) {
  const std::string path = scratch("specformer_" + std::to_string(dim) + ".toml");
  astroclip::io::write_text(path, fmt::format("[encoders.spectrum]\nplugin = \"specformer\"\ndim = {}\nlayers = 2\n"
                                              "heads = 3\n",
                                              dim));
  return path;
}

TEST(WeightsVerbs, ConvertWithAnArchitectureWritesAFileThatTellsAll) {
  const std::string out = scratch("described.safetensors");
  auto outcome = run_program("convert '" + fixture("specformer.ckpt") + "' '" + out + "' --architecture '" +
                             architecture_of(48) + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, ::testing::MatchesRegex(".*: spectrum, [0-9]+ tensors, model [0-9a-f]{32}\n"));
  outcome = run_program("inspect '" + out + "'");
  EXPECT_THAT(outcome.out, HasSubstr("[encoders.spectrum]"));
  EXPECT_THAT(outcome.out, HasSubstr("spectrum_encoder.backbone.position_embed.weight"));
  EXPECT_THAT(outcome.out, ::testing::Not(HasSubstr("spectrum_encoder.cross_attention")));  // the file has no head
}

TEST(WeightsVerbs, ConvertToAnotherArchitectureNamesEveryMisfit) {
  const std::string out = scratch("misfit.safetensors");
  const auto outcome = run_program("convert '" + fixture("specformer.ckpt") + "' '" + out + "' --architecture '" +
                                   architecture_of(96) + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(fixture("specformer.ckpt") + ": "));
  EXPECT_THAT(outcome.err, HasSubstr("position_embed.weight"));
  EXPECT_THAT(outcome.err, HasSubstr("blocks.1.mlp.decoder.weight"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(WeightsVerbs, BadInputIsAClearError) {
  auto outcome = run_program("inspect /nowhere/x.ckpt");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: /nowhere/x.ckpt: cannot read: No such file or directory\n");
  const std::string same = fixture("specformer.ckpt");
  outcome = run_program("convert '" + same + "' '" + same + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + same + ": IN and OUT are one file\n");
  outcome = run_program("convert onlyone");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("convert needs the file to read and the file to write\n"));
}

}  // namespace
