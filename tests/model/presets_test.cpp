// The experiments and models of the tree have the published sizes.
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/experiment.h"
#include "model/model_file.h"

namespace astroclip {
namespace {

std::vector<EncoderSpec> architecture(const std::string& file) {
  const std::string path = ASTROCLIP_EXPERIMENTS "/" + file;
  return read_architecture(config::parse_file(path), path);
}

std::shared_ptr<Encoder> make(const EncoderSpec& spec) { return spec.plugin.make(); }

/// Of the published cross-attention head: query, projections, norm and MLP.
double head_parameters(double width, double tokens_width) {
  const double attention = width + width * (2 * width + 2 * tokens_width) + 4 * width, norm = 2 * width;
  const double mlp = 8 * width * width + 5 * width;
  return attention + norm + mlp;
}

TEST(Presets, BackbonesHaveThePublishedNumberOfParameters) {
  const std::pair<const char*, double> published[] = {
      {"models/astrodino.toml", 302e6}, {"models/specformer.toml", 43e6}, {"models/vit-small.toml", 21e6},
      {"models/vit-base.toml", 86e6},   {"models/vit-giant.toml", 1.1e9}, {"specformer.toml", 43e6}};
  for (const auto& [file, parameters] : published) {
    const auto encoders = architecture(file);
    ASSERT_EQ(encoders.size(), 1U) << file;
    const auto encoder = make(encoders[0]);
    const double head =
        head_parameters(static_cast<double>(encoder->embedding_width()), static_cast<double>(encoder->dim()));
    EXPECT_NEAR(static_cast<double>(encoder->parameter_count()) - head, parameters, 0.04 * parameters) << file;
  }
}

/// The experiment and what convert knows it by.
TEST(Presets, TheAlignedModelStandsAmongThem) {
  EXPECT_EQ(architecture_text(architecture("models/astroclip.toml")),
            architecture_text(architecture("astroclip.toml")));
}

/// He et al. 2016 and the published network: with a last layer for one label.
TEST(Presets, BaselinesHaveThePublishedNumberOfParameters) {
  const auto resnet = make(architecture("models/resnet18.toml")[0]);
  EXPECT_EQ(resnet->parameter_count() + 512 + 1, 11'177'025);
  const auto spectra = make(architecture("models/conv-attention.toml")[0]);
  EXPECT_EQ(spectra->parameter_count(), 29'784);
}

TEST(Presets, TheAlignedModelIsThePublishedOne) {
  const auto encoders = architecture("astroclip.toml");
  ASSERT_EQ(encoders.size(), 2U);
  const auto image = make(encoders[0]), spectrum = make(encoders[1]);
  EXPECT_EQ(image->input_shape(), (Shape{3, 144, 144}));
  EXPECT_EQ(image->token_shape(), (Shape{144, 432}));
  EXPECT_EQ(spectrum->token_shape(), (Shape{778, 22}));
  EXPECT_EQ(image->embedding_width(), 1024);
  EXPECT_EQ(spectrum->embedding_width(), 1024);
  const auto total = static_cast<double>(image->parameter_count() + spectrum->parameter_count());
  EXPECT_NEAR(total, 370e6, 4e6);
  // The heads differ: only the spectrum's adds its MLP to what it attended to.
  const auto residual = [](const EncoderSpec& spec) {
    return *spec.plugin.parameters.find("head")->get_if<config::Table>()->find("mlp_residual")->get_if<bool>();
  };
  EXPECT_FALSE(residual(encoders[0]));
  EXPECT_TRUE(residual(encoders[1]));
  EXPECT_TRUE(residual(architecture("models/specformer.toml")[0]));  // where the file does not say so
}

TEST(Presets, AFileWithoutEncodersIsAClearError) {
  try {
    (void)read_architecture(config::parse_text("[dataset]", "e.toml"), "e.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "e.toml: has no encoder: [encoders.image] or the like");
  }
}

}  // namespace
}  // namespace astroclip
