// What a model file tells of its encoders, whichever version wrote it.
#include "model/model_file.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "config/toml.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip {
namespace {

const std::string old_keys = "[encoders.spectrum]\nplugin = \"specformer\"\nlayers = 2\ndim = 32\nheads = 2\n";

TEST(ModelFile, OldKeysOfItsArchitectureAreRead) {
  const ModelDescription description = read_model_description(
      {{"architecture", old_keys}, {"preprocessing", ""}, {"model_hash", "0"}}, "old.safetensors");
  ASSERT_EQ(description.encoders.size(), 1U);
  EXPECT_EQ(*description.encoders[0].plugin.parameters.find("depth")->get_if<int64_t>(), 2);
  EXPECT_EQ(description.encoders[0].plugin.parameters.find("layers"), nullptr);
}

TEST(ModelFile, AnUnknownKeyOfItsArchitectureIsRefused) {
  EXPECT_THAT(
      [] {
        (void)read_model_description(
            {{"architecture", old_keys + "lairs = 2\n"}, {"preprocessing", ""}, {"model_hash", "0"}}, "m.safetensors");
      },
      testing::ThrowsMessage<Error>("m.safetensors: architecture:6:1: error: [encoders.spectrum] plugin 'specformer' "
                                    "has no parameter 'lairs'"));
}

TEST(ModelFile, OldKeysOfAnArchitectureFileAreRefusedWithTheirNewNames) {
  const std::string path = testing_support::scratch("old.toml");
  io::write_text(path, old_keys);
  EXPECT_THAT([&] { (void)load_architecture(path); },
              testing::ThrowsMessage<Error>(path + ":3:1: error: [encoders.spectrum] 'layers' is now called 'depth'"));
}

}  // namespace
}  // namespace astroclip
