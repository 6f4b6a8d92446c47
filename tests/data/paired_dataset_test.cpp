#include "data/paired_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data/loader.h"
#include "io/weights/safetensors.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace astroclip::data {
namespace {

using testing::Contains;

constexpr size_t view_size = 3 * 144 * 144;

/// Ten objects with the published fixture's images in turn.
class PairedDatasetTest : public testing::Test {
 protected:
  PairedDatasetTest() {
    const auto file = io::SafetensorsFile::open(testing_support::fixture("to_rgb.safetensors"));
    const auto raw = file.read("raw_nanomaggies", DType::f32, {DeviceKind::cpu}).to_floats();
    model_input_ = file.read("model_input", DType::f32, {DeviceKind::cpu}).to_floats();
    for (size_t object = 0; object < 10; ++object) {
      for (size_t band = 0; band < 3; ++band)
        for (size_t y = 0; y < 152; ++y)
          for (size_t x = 0; x < 152; ++x) images_.push_back(raw[(((object % 2) * 152 + x) * 152 + y) * 3 + band]);
      for (size_t i = 0; i < 7781; ++i) spectra_.push_back(static_cast<float>(object) + (i % 2 == 0 ? 0.0F : 1.0F));
      redshifts_.push_back(0.1 * static_cast<double>(object));
      ids_.push_back(static_cast<int64_t>(object));
    }
    const std::vector<int64_t> groups = {10};
    const std::vector<std::string> labels = {"log_mass", "of_mine"};
    PairedWriter writer(path_, groups, labels, true);
    writer.write(
        {10, images_, spectra_, spectra_, redshifts_, ids_, {{"log_mass", redshifts_}, {"of_mine", redshifts_}}});
    writer.commit();
  }
  ~PairedDatasetTest() override { std::filesystem::remove(path_); }

  std::string path_ = testing_support::scratch("dataset.h5");
  std::vector<float> model_input_, images_, spectra_;
  std::vector<double> redshifts_;
  std::vector<int64_t> ids_;
};

TEST_F(PairedDatasetTest, ListsEveryColumnWithItsUnit) {
  const PairedDataset dataset(path_);
  const auto fields = dataset.fields();
  using F = astroclip::Field;
  EXPECT_THAT(fields, Contains(testing::AllOf(testing::Field(&F::name, "image"), testing::Field(&F::shape, Shape{3, 152, 152}))));
  EXPECT_THAT(fields, Contains(testing::AllOf(testing::Field(&F::name, "spectrum"), testing::Field(&F::shape, Shape{7781}),
                                              testing::Field(&F::unit, "1e-17 erg/s/cm²/Å"))));
  EXPECT_THAT(fields, Contains(testing::AllOf(testing::Field(&F::name, "object_id"), testing::Field(&F::dtype, DType::i64))));
  EXPECT_THAT(fields, Contains(testing::AllOf(testing::Field(&F::name, "log_mass"), testing::Field(&F::meaning, "label of the file"))));
  EXPECT_THAT(fields, Contains(testing::Field(&F::name, "of_mine")));
  EXPECT_EQ(dataset.size(Split::train), 8);
  EXPECT_EQ(dataset.size(Split::test), 2);
}

TEST_F(PairedDatasetTest, APlainViewIsThePublishedModelInput) {
  const PairedDataset dataset(path_);
  // From the file to the encoder: test row 1 is object 9, which holds the fixture's second image.
  LoaderOptions options{.split = Split::test, .batch = 1, .steps = 1, .shuffle = false};
  Loader loader(dataset, {1}, {{{.name = "v", .modality = "image"}, {3, 144, 144}}}, {}, options);
  const HostArray view = loader.next().views.at("v");
  const auto out = view.values<float>();
  ASSERT_EQ(out.size(), view_size);
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], model_input_[view_size + i], 1e-6) << i;
}

}  // namespace
}  // namespace astroclip::data
