// Encoders loaded straight from the files that PyTorch and Lightning wrote.
#include "models/model_support.h"
#include "nn/published_weights.h"
#include "ops/ops.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::fixture;
using testing_support::make_encoder;
using testing_support::relative_error;
using testing_support::tiny_specformer;
using testing_support::tiny_vit;

class LoadingPublishedFiles : public testing_support::OnEachBackend {
 protected:
  /// Every tensor of the module at or below `part` is that of the fixture, where it stands under `prefix`.
  void expect_equal(const nn::Module& module, const std::string& part, const std::string& weights,
                    const std::string& prefix) {
    const Fixture expected(weights, device());
    int compared = 0;
    for (const auto& entry : module.state()) {
      if (!entry.name.starts_with(part)) continue;
      EXPECT_EQ(entry.tensor.to_doubles(), expected.doubles(prefix + entry.name.substr(part.size()))) << entry.name;
      ++compared;
    }
    EXPECT_GT(compared, 10);
  }
};

TEST_P(LoadingPublishedFiles, TheTowersOfTheWholeModel) {
  const auto image = make_encoder("vit", tiny_vit, device());
  nn::load_published(*image, fixture("astroclip.ckpt"));
  expect_equal(*image, "", "astroclip.weights", "image_encoder.");
  const auto spectrum = make_encoder("specformer", tiny_specformer, device());
  nn::load_published(*spectrum, fixture("astroclip.ckpt"));
  expect_equal(*spectrum, "", "astroclip.weights", "spectrum_encoder.");
}

TEST_P(LoadingPublishedFiles, ABackboneAlone) {
  const auto spectrum = make_encoder("specformer", tiny_specformer, device());
  nn::load_published(*spectrum, fixture("specformer.ckpt"), "backbone");
  expect_equal(*spectrum, "backbone.", "specformer.weights", "");
  const auto image = make_encoder("vit", tiny_vit, device());
  nn::load_published(*image, fixture("astrodino.ckpt"), "backbone");
  expect_equal(*image, "backbone.", "vit.weights", "");
}

TEST_P(LoadingPublishedFiles, AnEncoderWithoutChunks) {
  const std::string chunked = "chunks = 2";
  std::string plain = tiny_vit;
  plain.replace(plain.find(chunked), chunked.size(), "chunks = 1");
  const auto image = make_encoder("vit", plain, device());
  nn::load_published(*image, fixture("astrodino.ckpt"), "backbone");
  const auto same = make_encoder("vit", tiny_vit, device());
  nn::load_published(*same, fixture("vit.weights.safetensors"), "backbone");
  const auto a = image->state(), b = same->state();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i].name.starts_with("backbone.")) continue;
    EXPECT_EQ(a[i].tensor.to_doubles(), b[i].tensor.to_doubles()) << a[i].name;
  }
}

/// ViTs of other libraries give the numbers of their own forward passes.
TEST_P(LoadingPublishedFiles, VisionTransformersOfOtherLibraries) {
  const Fixture file("vits_of_libraries", device());
  struct Case {
    std::string name, parameters, naming;
    std::vector<std::string> zeros = {};
  };
  const std::string no_scale = "layer_scale = 0.0\n", mask = "backbone.mask_token";
  const Case cases[] = {
      {"timm", no_scale, "", {mask}},
      {"timm_no_bias", no_scale, "", {mask, "backbone.blocks.0.attn.qkv.bias", "backbone.blocks.1.attn.qkv.bias"}},
      {"timm_registers", "registers = 2\n", "", {mask}},
      {"timm_placed_registers", no_scale + "registers = 2\n", "", {mask}},
      {"timm_no_class_token", no_scale + "class_token = false\n", "", {mask}},
      {"torchvision", no_scale, "torchvision", {mask}},
      {"transformers_dinov2", "", "transformers"},
      {"transformers_registers", "registers = 2\n", "transformers"},
      {"transformers_vit", no_scale + "epsilon = 1e-12\n", "transformers", {mask}},
      {"transformers_vit_saved", no_scale + "epsilon = 1e-12\n", "transformers", {mask}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const auto vit = make_encoder("vit",
                                  "image = 16\npatch = 4\ndim = 8\ndepth = 2\nheads = 2\nhidden = 16\nchunks = 1\n"
                                  "head = { width = 8, heads = 2 }\n" +
                                      one.parameters,
                                  device());
    const nn::Published from = nn::load_published(*vit, file.all(one.name + ".weights."), one.name, "backbone");
    EXPECT_EQ(from.naming, one.naming);
    EXPECT_EQ(from.zeros, one.zeros);
    const Encoded encoded = vit->encode(vit->tokenize(file["images"]), {}, TokenForm::pretraining);
    EXPECT_LT(relative_error(encoded.tokens, file[one.name + ".patch_tokens"]), 1e-5);
    const bool has_class = one.name != "timm_no_class_token";
    ASSERT_EQ(encoded.cls_token.defined(), has_class);
    const Tensor pooled =
        has_class ? file[one.name + ".class_token"] : ops::mean(file[one.name + ".patch_tokens"], {1});
    EXPECT_LT(relative_error(vit->pool(encoded), pooled), 1e-5);
  }
}

TEST_P(LoadingPublishedFiles, AnotherArchitectureIsAListedError) {
  std::string narrow = tiny_specformer;
  narrow.replace(narrow.find("depth = 2"), 9, "depth = 3");
  const auto spectrum = make_encoder("specformer", narrow, device());
  try {
    nn::load_published(*spectrum, fixture("specformer.ckpt"), "backbone");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(
        std::string(error.what())
            .starts_with(fixture("specformer.ckpt") +
                         ": its tensors under 'state_dict.' do not fit the module\n  missing (12): backbone.blocks.2."))
        << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(, LoadingPublishedFiles, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
