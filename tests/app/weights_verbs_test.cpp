#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"
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
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("\n  state_dict.position_embed.weight +f32   \\[800, 48\\]\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\n  hyper_parameters.embed_dim = 48\n"));
}

TEST(WeightsVerbs, ConvertWritesWhatInspectThenLists) {
  const std::string out = scratch("verbs.safetensors");
  auto outcome = run_program("convert '" + fixture("specformer.ckpt") + "' '" + out + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, ::testing::MatchesRegex(".*: 31 tensors, model [0-9a-f]{32}; they match no preset: to "
                                                   "embed with them, convert with --architecture\n"));
  outcome = run_program("inspect '" + out + "'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("\n  converted_from = specformer.ckpt\n"));
}

std::string architecture_of(int64_t dim) {
  const std::string path = scratch("specformer_" + std::to_string(dim) + ".toml");
  astroclip::io::write_text(path, fmt::format("[encoders.spectrum]\nplugin = \"specformer\"\ndim = {}\ndepth = 2\n"
                                              "heads = 3\n",
                                              dim));
  return path;
}

TEST(WeightsVerbs, ConvertWithAnArchitectureWritesAFileThatTellsAll) {
  const std::string out = scratch("described.safetensors");
  auto outcome = run_program("convert '" + fixture("specformer.ckpt") + "' '" + out + "' --architecture '" +
                             architecture_of(48) + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, ::testing::MatchesRegex(".*: spectrum as in specformer_48.toml, [0-9]+ tensors, model "
                                                   "[0-9a-f]{32}\n"));
  outcome = run_program("inspect '" + out + "'");
  EXPECT_THAT(outcome.out, HasSubstr("[encoders.spectrum]"));
  EXPECT_THAT(outcome.out, HasSubstr("spectrum_encoder.backbone.position_embed.weight"));
  EXPECT_THAT(outcome.out, ::testing::Not(HasSubstr("spectrum_encoder.cross_attention")));  // the file has no head
}

TEST(WeightsVerbs, ConvertKnowsThePresetsByTheirTensors) {
  const std::string in = scratch("vit_small.safetensors"), out = scratch("vit_small_model.safetensors");
  {
    using namespace astroclip;
    const std::vector<std::pair<std::string, int64_t>> vectors = {
        {"norm1.weight", 384}, {"norm1.bias", 384},   {"attn.qkv.bias", 1152}, {"attn.proj.bias", 384},
        {"ls1.gamma", 384},    {"norm2.weight", 384}, {"norm2.bias", 384},     {"mlp.fc1.bias", 1536},
        {"mlp.fc2.bias", 384}, {"ls2.gamma", 384}};
    std::vector<NamedTensor> tensors;
    const auto add = [&](const std::string& name, const Shape& shape) {
      tensors.push_back({"teacher.backbone." + name, Tensor::zeros(shape, DType::f32, {DeviceKind::cpu})});
    };
    add("cls_token", {1, 1, 384});
    add("pos_embed", {1, 145, 384});
    add("mask_token", {1, 384});
    add("patch_embed.proj.weight", {384, 3, 12, 12});
    add("patch_embed.proj.bias", {384});
    for (int64_t i = 0; i < 12; ++i) {
      const std::string block = fmt::format("blocks.{}.", i);
      for (const auto& [name, length] : vectors) add(block + name, {length});
      add(block + "attn.qkv.weight", {1152, 384});
      add(block + "attn.proj.weight", {384, 384});
      add(block + "mlp.fc1.weight", {1536, 384});
      add(block + "mlp.fc2.weight", {384, 1536});
    }
    add("norm.weight", {384});
    add("norm.bias", {384});
    io::write_safetensors(in, tensors, {});
  }
  auto outcome = run_program("convert '" + in + "' '" + out + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(": image as in vit-small.toml, 175 tensors, model "));
  outcome = run_program("convert '" + in + "' '" + out + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + out + ": already exists\n");
  outcome = run_program("convert '" + in + "' '" + scratch("vit_base_model.safetensors") + "' --architecture vit-base");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cls_token: expected [1, 1, 768], found [1, 1, 384]"));
}

/// One ViT twice, under the names of MoCo, with a queue beside it.
std::string moco_file() {
  using namespace astroclip;
  std::vector<NamedTensor> tensors = {{"queue", Tensor::zeros({4, 2}, DType::f32, {DeviceKind::cpu})}};
  for (const std::string encoder : {"module.encoder_q.", "module.encoder_k."}) {
    const double value = encoder == "module.encoder_q." ? 0.25 : 0.5;
    const auto add = [&](const std::string& name, const Shape& shape) {
      const std::vector<double> values(static_cast<size_t>(shape.numel()), value);
      tensors.push_back({encoder + name, Tensor::from_host(values, shape, DType::f32, {DeviceKind::cpu})});
    };
    add("cls_token", {1, 1, 8});
    add("pos_embed", {1, 5, 8});
    add("patch_embed.proj.weight", {8, 3, 2, 2});
    add("patch_embed.proj.bias", {8});
    for (const char* name : {"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "attn.proj.bias"}) {
      add("blocks.0." + std::string(name), {8});
    }
    add("blocks.0.attn.qkv.weight", {24, 8});
    add("blocks.0.attn.qkv.bias", {24});
    add("blocks.0.attn.proj.weight", {8, 8});
    add("blocks.0.mlp.fc1.weight", {32, 8});
    add("blocks.0.mlp.fc1.bias", {32});
    add("blocks.0.mlp.fc2.weight", {8, 32});
    add("blocks.0.mlp.fc2.bias", {8});
    add("norm.weight", {8});
    add("norm.bias", {8});
    add("head.weight", {10, 8});
  }
  const std::string path = scratch("moco.safetensors");
  io::write_safetensors(path, tensors);
  return path;
}

/// facebookresearch/moco#94: encoder_q is the one that is used, but a file does not tell.
TEST(WeightsVerbs, OfSeveralSetsOfWeightsConvertTakesTheOneAskedFor) {
  using namespace astroclip;
  const std::string in = moco_file(), out = scratch("moco_q.safetensors"), architecture = scratch("vit8.toml");
  io::write_text(architecture,
                 "[encoders.image]\nplugin = \"vit\"\nimage = 4\npatch = 2\ndim = 8\ndepth = 1\nheads = 2\n"
                 "chunks = 1\nlayer_scale = 0.0\n");
  const std::string command = "convert '" + in + "' '" + out + "' --architecture '" + architecture + "'";
  auto outcome = run_program(command);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + in +
                             ": encoder 'image': holds 2 sets of weights that fit, under 'module.encoder_k.' and "
                             "'module.encoder_q.'; choose one by --prefix of `astroclip convert`\n");
  EXPECT_FALSE(std::filesystem::exists(out));
  outcome = run_program(command + " --prefix module.encoder_q");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr("image: from 'module.encoder_q.'; not needed: module.encoder_q.head.weight; not in "
                        "the file, and zero without: backbone.mask_token\n"));
  const auto file = io::SafetensorsFile::open(out);
  EXPECT_EQ(file.read("image_encoder.backbone.norm.bias", DType::f32, {DeviceKind::cpu}).to_doubles(),
            std::vector<double>(8, 0.25));
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
  EXPECT_EQ(outcome.err, "astroclip: error: " + same + ": IN and OUT are the same file\n");
  outcome = run_program("convert onlyone");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("missing argument: OUT\n"));
}

}  // namespace
