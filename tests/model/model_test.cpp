// Encoders of an experiment take their weights from files of every published kind.
#include "model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/toml.h"
#include "io/weights/safetensors.h"
#include "support/fixtures.h"

namespace astroclip {
namespace {

using testing::HasSubstr;
using testing_support::fixture;

/// A model of the fixtures' architecture; `chunks` as the file or not.
Model tiny(int chunks, int layers = 2) {
  const std::string text = R"([encoders.image]
plugin = "vit"
dim = 48
depth = 4
heads = 4
chunks = )" + std::to_string(chunks) +
                           R"(
head = { width = 48, heads = 4 }
[encoders.spectrum]
plugin = "specformer"
dim = 48
depth = )" + std::to_string(layers) +
                           R"(
heads = 3
head = { width = 48, heads = 4, mlp_residual = true }
)";
  return {read_architecture(config::parse_text(text, "e.toml"), "e.toml"), {DeviceKind::cpu}, 0};
}

/// Without the chunk of a block.
std::string plain(std::string name) {
  const size_t blocks = name.find("blocks.");
  if (name.find("image_encoder.") != 0 || blocks == std::string::npos) return name;
  const size_t chunk = blocks + 7, dot = name.find('.', chunk);
  return name.erase(chunk, dot + 1 - chunk);
}

TEST(Model, TakesBothTowersOfAnAlignedFile) {
  const auto expected = io::SafetensorsFile::open(fixture("astroclip.weights.safetensors"));
  for (const int chunks : {1, 2}) {
    const Model model = tiny(chunks);
    model.load("image", fixture("astroclip.ckpt"));
    model.load("spectrum", fixture("astroclip.ckpt"));
    std::map<std::string, Tensor> found;
    for (const auto& entry : model.state()) found[chunks == 1 ? entry.name : plain(entry.name)] = entry.tensor;
    EXPECT_EQ(found.size(), expected.entries().size());
    for (const auto& entry : expected.entries()) {
      EXPECT_EQ(found.at(plain(entry.name)).to_floats(),
                expected.read(entry.name, DType::f32, {DeviceKind::cpu}).to_floats())
          << entry.name;
    }
  }
}

TEST(Model, TakesABackboneAndLeavesTheHead) {
  const Model model = tiny(2);
  const Model untouched = tiny(2);
  model.load("image", fixture("astrodino.ckpt"));
  model.load("spectrum", fixture("specformer.fp16.legacy.ckpt"));
  const auto expected = io::SafetensorsFile::open(fixture("vit.weights.safetensors"));
  const auto before = untouched.state(), after = model.state();
  for (size_t i = 0; i < after.size(); ++i) {
    const std::string& name = after[i].name;
    if (name.find("backbone.") == std::string::npos) {
      EXPECT_EQ(after[i].tensor.to_floats(), before[i].tensor.to_floats()) << name;
    } else if (name.starts_with("image_encoder.")) {
      EXPECT_EQ(after[i].tensor.to_floats(), expected.read(name.substr(23), DType::f32, {DeviceKind::cpu}).to_floats())
          << name;
    }
  }
}

/// Where a file tells backbone and head apart, a head under other names is no reason to go without.
TEST(Model, AHeadOfOtherNamesIsReported) {
  const auto file = io::SafetensorsFile::open(fixture("astroclip.weights.safetensors"));
  std::vector<NamedTensor> wrapped, renamed;
  for (const auto& entry : file.entries()) {
    const Tensor tensor = file.read(entry.name, DType::f32, {DeviceKind::cpu});
    std::string name = entry.name;
    const size_t backbone = name.find(".backbone."), head = name.find(".cross_attention.");
    if (backbone != std::string::npos) name.insert(backbone + 10, "_orig_mod.");
    wrapped.push_back({name, tensor});
    if (head != std::string::npos) name.replace(head, 17, ".attention.");
    renamed.push_back({name, tensor});
  }
  const Model model = tiny(2);
  EXPECT_TRUE(model.load("spectrum", wrapped, "wrapped").has_head);
  try {
    model.load("spectrum", renamed, "renamed");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("missing (7): cross_attention."));
    EXPECT_THAT(error.what(), HasSubstr("unexpected (7): spectrum_encoder.attention."));
  }
}

TEST(Model, ReportsAllThatDoesNotFitTogetherAndChangesNothing) {
  const std::string path = fixture("specformer.ckpt");
  const Model model = tiny(2, 3);
  const std::vector<float> before = model.state().front().tensor.to_floats();
  try {
    model.load("spectrum", path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::StartsWith(
                                  path + ": encoder 'spectrum': its tensors under 'state_dict.' do not fit the module\n"
                                         "  missing (12): backbone.blocks.2."));
  }
  const Model wide = tiny(2, 1);
  try {
    wide.load("spectrum", path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("\n  unexpected (12): state_dict.blocks.1."));
  }
  EXPECT_EQ(model.state().front().tensor.to_floats(), before);
}

}  // namespace
}  // namespace astroclip
