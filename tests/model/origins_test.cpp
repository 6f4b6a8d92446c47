// What is known of where weights come from.
#include "model/origins.h"

#include <gtest/gtest.h>

#include "config/toml.h"
#include "plugin/host.h"

namespace astroclip {
namespace {

Model model() {
  const Experiment experiment = read_experiment(config::parse_text(R"([dataset]
plugin = "simulated_survey"
[encoders.image]
plugin = "resnet"
image = 32
dim = 8
blocks = [1]
[encoders.spectrum]
plugin = "specformer"
dim = 12
depth = 1
heads = 1
)",
                                                                   "e.toml"));
  return {experiment.encoders, Device::host(), 1};
}

std::string name_of(const Origins& origins, const std::string& encoder, bool head) {
  return embedding_name(origins.at(encoder), head);
}

TEST(Origins, AreOfThePartsThatGradientsReach) {
  const Model both = model();
  Origins origins;
  add_stage(origins, both, {"spectrum_encoder.backbone.data_embed.weight"});
  EXPECT_FALSE(has_meaning(origins, "spectrum"));
  EXPECT_EQ(name_of(origins, "spectrum", false), "before alignment");
  EXPECT_EQ(name_of(origins, "image", false), "untrained");
  add_stage(origins, both, {"spectrum_encoder.mlp.encoder.weight"});
  EXPECT_TRUE(has_meaning(origins, "spectrum"));
  EXPECT_EQ(name_of(origins, "spectrum", true), "trained");
  // An encoder without a head of its own is trained with its backbone.
  add_stage(origins, both, {"spectrum_encoder.mlp.encoder.weight", "image_encoder.backbone.conv1.weight"});
  EXPECT_EQ(name_of(origins, "image", true), "aligned");
  EXPECT_EQ(name_of(origins, "image", false), "backbone after alignment");
  EXPECT_EQ(name_of(origins, "spectrum", true), "aligned");
  EXPECT_EQ(name_of(origins, "spectrum", false), "before alignment");
  // What is aligned stays so.
  add_stage(origins, both, {"spectrum_encoder.mlp.encoder.weight"});
  EXPECT_EQ(name_of(origins, "spectrum", true), "aligned");
}

TEST(Origins, AreReadAsTheyWereWritten) {
  const Origins origins = {{"image", {Origin::file, Origin::initial}},
                           {"my.spectrum", {Origin::trained, Origin::aligned}}};
  const Origins read = read_origins(origins_metadata(origins));
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read.at("image").backbone, Origin::file);
  EXPECT_FALSE(has_meaning(read, "image"));
  EXPECT_EQ(name_of(read, "my.spectrum", true), "aligned");
  EXPECT_TRUE(has_meaning(read, "nothing is known of it"));
}

}  // namespace
}  // namespace astroclip
