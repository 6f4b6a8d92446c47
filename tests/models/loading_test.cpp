// Encoders loaded straight from the files that PyTorch and Lightning wrote.
#include "models/model_support.h"
#include "nn/published_weights.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::fixture;
using testing_support::make_encoder;
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

TEST_P(LoadingPublishedFiles, AnotherArchitectureIsAListedError) {
  std::string narrow = tiny_specformer;
  narrow.replace(narrow.find("depth = 2"), 9, "depth = 3");
  const auto spectrum = make_encoder("specformer", narrow, device());
  try {
    nn::load_published(*spectrum, fixture("specformer.ckpt"), "backbone");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what())
                    .starts_with(fixture("specformer.ckpt") +
                                 ": its tensors do not fit the module\n  missing (12): backbone.blocks.2."))
        << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(, LoadingPublishedFiles, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
