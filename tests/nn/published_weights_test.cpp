#include "nn/published_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/error.h"
#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"
#include "support/devices.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace astroclip::nn {
namespace {

using testing::ElementsAre;

using testing_support::cpu;

Tensor row(const std::vector<double>& values) {
  return Tensor::from_host(values, {static_cast<int64_t>(values.size())}, DType::f32, cpu);
}

/// A module of vectors with given names and lengths.
class Vectors final : public Module {
 public:
  explicit Vectors(const std::vector<std::pair<std::string, int64_t>>& names) : slots_(names.size()) {
    for (size_t i = 0; i < names.size(); ++i) parameter(names[i].first, slots_[i], {names[i].second}, Init::zeros());
    materialize(cpu, 1);
  }
  std::vector<double> values(size_t slot) const { return slots_[slot].to_doubles(); }

 private:
  std::vector<Tensor> slots_;
};

std::string message_of(Module& module, const std::vector<NamedTensor>& source, const std::string& part = "") {
  try {
    load_published(module, source, "w.ckpt", part);
  } catch (const Error& error) {
    return error.what();
  }
  return "loaded";
}

TEST(PublishedWeights, BlocksMayBeInChunksOnEitherSide) {
  Vectors plain({{"blocks.0.norm.weight", 1}, {"blocks.1.norm.weight", 1}});
  EXPECT_EQ(message_of(plain, {{"blocks.0.0.norm.weight", row({5})}, {"blocks.1.1.norm.weight", row({6})}}), "loaded");
  EXPECT_THAT(plain.values(0), ElementsAre(5));
  EXPECT_THAT(plain.values(1), ElementsAre(6));
  Vectors chunked({{"blocks.0.0.norm.weight", 1}, {"blocks.1.1.norm.weight", 1}});
  EXPECT_EQ(message_of(chunked, {{"blocks.0.norm.weight", row({7})}, {"blocks.1.norm.weight", row({8})}}), "loaded");
  EXPECT_THAT(chunked.values(1), ElementsAre(8));
}

TEST(PublishedWeights, FindsThePrefixAndLeavesOtherModulesAlone) {
  for (const std::string prefix :
       {"", "module.", "backbone.", "teacher.backbone.", "image_encoder.backbone.", "module.student.backbone."}) {
    Vectors module({{"a.weight", 2}, {"b", 1}});
    std::vector<NamedTensor> source = {{prefix + "a.weight", row({1, 2})}, {prefix + "b", row({3})}};
    if (prefix.find("backbone") != prefix.npos) source.push_back({"dino_head.mlp.weight", row({9})});
    EXPECT_EQ(message_of(module, source), "loaded") << prefix;
    EXPECT_THAT(module.values(0), ElementsAre(1, 2));
    EXPECT_THAT(module.values(1), ElementsAre(3));
  }
}

TEST(PublishedWeights, ATeacherComesBeforeItsStudent) {
  Vectors module({{"b", 1}});
  EXPECT_EQ(message_of(module, {{"student.backbone.b", row({1})}, {"teacher.backbone.b", row({2})}}), "loaded");
  EXPECT_THAT(module.values(0), ElementsAre(2));
}

/// What was used is always told, in the file's own names.
TEST(PublishedWeights, OfSeveralSetsOneMustBeChosen) {
  Vectors module({{"a", 1}, {"b", 1}});
  const std::vector<NamedTensor> moco = {{"module.encoder_k.a", row({1})},
                                         {"module.encoder_k.b", row({1})},
                                         {"module.encoder_q.a", row({2})},
                                         {"module.encoder_q.b", row({2})},
                                         {"module.queue", row({9, 9})}};
  EXPECT_EQ(
      message_of(module, moco),
      "w.ckpt: holds 2 sets of weights that fit, under 'module.encoder_k.' and 'module.encoder_q.'; choose one by "
      "--prefix of `astroclip convert`");
  EXPECT_THAT(module.values(0), ElementsAre(0));
  for (const char* prefix : {"module.encoder_q", "module.encoder_q."}) {
    EXPECT_EQ(load_published(module, moco, "w.ckpt", "", Loading::copied, prefix).prefix, "module.encoder_q.");
    EXPECT_THAT(module.values(0), ElementsAre(2));
  }
  EXPECT_THAT([&] { load_published(module, moco, "w.ckpt", "", Loading::copied, "queue."); },
              testing::ThrowsMessage<Error>("w.ckpt: none of its 5 tensors is named 'queue.…'"));
  // Without a prefix beside one with: "" chooses the former.
  const std::vector<NamedTensor> averaged = {
      {"a", row({3})}, {"b", row({3})}, {"ema.a", row({4})}, {"ema.b", row({4})}};
  EXPECT_THAT(message_of(module, averaged), testing::HasSubstr("under '' and 'ema.'"));
  EXPECT_EQ(load_published(module, averaged, "w.ckpt", "", Loading::copied, "").text(),
            "the whole file; not needed: ema.a, ema.b");
  EXPECT_THAT(module.values(0), ElementsAre(3));
  // Sets of other shapes or with more blocks are no choice.
  EXPECT_EQ(message_of(module, {{"x.a", row({5})}, {"x.b", row({5})}, {"y.a", row({6, 6})}, {"y.b", row({6})}}),
            "loaded");
  EXPECT_THAT(module.values(0), ElementsAre(5));
}

TEST(PublishedWeights, LeavesOutHeadsAndBuffersButNoPartOfTheNetwork) {
  Vectors module({{"blocks.0.norm.weight", 1}, {"layer1.weight", 1}});
  const std::vector<NamedTensor> own = {{"m.blocks.0.norm.weight", row({5})}, {"m.layer1.weight", row({6})}};
  const Tensor count = Tensor::from_host(std::vector<int64_t>{5}, {}, cpu);
  for (const NamedTensor& more : std::vector<NamedTensor>{{"m.head.weight", row({9})},
                                                          {"m.buf.scalar", row({9})},
                                                          {"m.n_averaged", count},
                                                          {"m.blocks.0.position_index", count},
                                                          {"m.decoder_blocks.0.norm.weight", row({9})}}) {
    auto source = own;
    source.push_back(more);
    EXPECT_THAT(load_published(module, source, "w.ckpt").left_out, ElementsAre(more.name));
  }
  for (const std::string more :
       {"blocks.1.norm.weight", "blocks.0.ls1.gamma", "layer2.weight", "register_tokens", "norm_pre.weight"}) {
    auto source = own;
    source.push_back({"m." + more, row({9})});
    EXPECT_EQ(message_of(module, source),
              "w.ckpt: its tensors under 'm.' do not fit the module\n  unexpected (1): m." + more);
  }
}

TEST(PublishedWeights, AttentionProjectionsAreFusedOrSplitAsTheModuleNeeds) {
  Vectors fused({{"attn.in_proj_weight", 6}, {"attn.qkv.bias", 3}, {"other.weight", 1}});
  EXPECT_EQ(message_of(fused, {{"attn.q_proj_weight", row({1, 2})},
                               {"attn.v_proj_weight", row({5, 6})},
                               {"attn.k_proj_weight", row({3, 4})},
                               {"attn.q.bias", row({7})},
                               {"attn.k.bias", row({8})},
                               {"attn.v.bias", row({9})},
                               {"other.weight", row({0})}}),
            "loaded");
  EXPECT_THAT(fused.values(0), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(fused.values(1), ElementsAre(7, 8, 9));
  Vectors split({{"q_proj_weight", 2}, {"k_proj_weight", 2}, {"v_proj_weight", 2}});
  EXPECT_EQ(message_of(split, {{"in_proj_weight", row({1, 2, 3, 4, 5, 6})}}), "loaded");
  EXPECT_THAT(split.values(1), ElementsAre(3, 4));
  EXPECT_THAT(split.values(2), ElementsAre(5, 6));
}

TEST(PublishedWeights, OnePartCanBeLoadedAlone) {
  Vectors module({{"backbone.b", 1}, {"head.c", 1}});
  EXPECT_EQ(message_of(module, {{"teacher.backbone.b", row({4})}}, "backbone"), "loaded");
  EXPECT_THAT(module.values(0), ElementsAre(4));
  EXPECT_THAT(module.values(1), ElementsAre(0));
}

TEST(PublishedWeights, WhatDoesNotFitIsListedTogetherAndNothingIsWritten) {
  Vectors module({{"a", 1}, {"b", 2}, {"c", 3}, {"d", 1}});
  EXPECT_EQ(message_of(module, {{"x.a", row({1})}, {"x.b", row({1, 2, 3})}, {"x.e", row({1})}, {"x.d", row({1})}}),
            "w.ckpt: its tensors under 'x.' do not fit the module\n"
            "  missing (1): c ('x.c')\n"
            "  unexpected (1): x.e\n"
            "  misshapen (1): b: expected [2], found [3] (of 'x.b' [3])");
  EXPECT_THAT(module.values(0), ElementsAre(0));
  EXPECT_EQ(message_of(module, {{"a", row({1})}, {"module.a", row({1})}}),
            "w.ckpt: 'a' and 'module.a' are two names of one tensor");
}

/// In the names of the file, whatever library's they are.
TEST(PublishedWeights, ProjectionsThatCannotBeJoinedOrSplitAreNamed) {
  Vectors fused({{"attn.qkv.bias", 6}, {"other", 1}}), split({{"attn.q.bias", 2}});
  const Tensor square = Tensor::from_host(std::vector<double>{1, 2, 3, 4}, {2, 2}, DType::f32, cpu);
  EXPECT_EQ(message_of(fused, {{"m.attn.q.bias", row({1, 2})},
                               {"m.attn.k.bias", square},
                               {"m.attn.v.bias", row({5, 6})},
                               {"m.other", row({0})}}),
            "w.ckpt: its tensors under 'm.' do not fit the module\n"
            "  misshapen (1): attn.qkv.bias: expected [6], which 'm.attn.q.bias' [2], 'm.attn.k.bias' [2, 2], "
            "'m.attn.v.bias' [2] cannot be made into");
  EXPECT_EQ(message_of(split, {{"attn.qkv.bias", row({1, 2, 3, 4})}}),
            "w.ckpt: its tensors do not fit the module\n"
            "  misshapen (1): attn.q.bias: expected [2], which 'attn.qkv.bias' [4] cannot be made into");
}

TEST(PublishedWeights, ReadsThemOutOfAFile) {
  Vectors module({{"position_embed.weight", 1}, {"head.bias", 22}});
  const std::string path = testing_support::fixture("specformer.ckpt");
  try {
    load_published(module, path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(
        error.what(),
        testing::StartsWith(path + ": its tensors under 'state_dict.' do not fit the module\n  unexpected (29): "));
    EXPECT_THAT(error.what(),
                testing::EndsWith("\n  misshapen (1): position_embed.weight: expected [1], found [800, 48] (of "
                                  "'state_dict.position_embed.weight' [800, 48])"));
  }
}

TEST(PublishedWeights, AnyChangedByteOfAHeaderIsAnErrorOrLoadsTheSame) {
  const std::string path = testing_support::scratch("header.safetensors");
  io::write_safetensors(path, {{{"a.weight", row({1, 2})}, {"b", row({3, 4, 5})}}}, {{"format", "pt"}});
  const std::string whole = io::read_text(path);
  uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof header);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  int refused = 0;
  const auto put = [&](size_t at, int byte) {
    file.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(byte)).flush();
  };
  for (size_t at = 0; at < sizeof header + header; ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      put(at, byte);
      Vectors module({{"a.weight", 2}, {"b", 3}});
      try {
        load_published(module, path);
        ASSERT_THAT(module.values(0), ElementsAre(1, 2)) << "byte " << at << " = " << byte;
        ASSERT_THAT(module.values(1), ElementsAre(3, 4, 5)) << "byte " << at << " = " << byte;
      } catch (const Error& error) {
        ASSERT_THAT(error.what(), testing::StartsWith(path + ": "));
        ++refused;
      }
    }
    put(at, static_cast<unsigned char>(whole[at]));
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace astroclip::nn
