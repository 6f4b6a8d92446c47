#include "data/paired_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "io/weights/safetensors.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace astroclip::data {
namespace {

using testing::Contains;
using testing::Field;
using testing::ThrowsMessage;

constexpr size_t image_size = 3 * 152 * 152;
constexpr size_t view_size = 3 * 144 * 144;
const Shape view_shape = {3, 144, 144};

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

  std::span<const float> image(size_t object) const {
    return std::span(images_).subspan(object * image_size, image_size);
  }
  std::vector<float> view(const PairedDataset& dataset, size_t object, bool augment, uint64_t draw) const {
    std::vector<float> out(view_size);
    Rng rng(draw, Purpose::tests);
    dataset.make_view({"v", "image", augment, 1, 0}, image(object), view_shape, rng, out);
    return out;
  }

  std::string path_ = testing_support::scratch("dataset.h5");
  std::vector<float> model_input_, images_, spectra_;
  std::vector<double> redshifts_;
  std::vector<int64_t> ids_;
};

TEST_F(PairedDatasetTest, ListsEveryColumnWithItsUnit) {
  const PairedDataset dataset(path_, {});
  const auto fields = dataset.fields();
  using F = astroclip::Field;
  EXPECT_THAT(fields, Contains(testing::AllOf(Field(&F::name, "image"), Field(&F::shape, Shape{3, 152, 152}))));
  EXPECT_THAT(fields, Contains(testing::AllOf(Field(&F::name, "spectrum"), Field(&F::shape, Shape{7781}))));
  EXPECT_THAT(fields, Contains(testing::AllOf(Field(&F::name, "object_id"), Field(&F::dtype, DType::i64))));
  EXPECT_THAT(fields, Contains(testing::AllOf(Field(&F::name, "log_mass"), Field(&F::unit, "log10 M☉"))));
  EXPECT_THAT(fields, Contains(Field(&F::name, "of_mine")));
  EXPECT_EQ(dataset.size(Split::train), 8);
  EXPECT_EQ(dataset.size(Split::test), 2);
}

TEST_F(PairedDatasetTest, APlainViewIsThePublishedModelInput) {
  const PairedDataset dataset(path_, {});
  // From the file to the encoder: test row 1 is object 9, which holds the fixture's second image.
  HostBatch batch;
  const std::vector<int64_t> rows = {1};
  const std::vector<std::string> names = {"image"};
  dataset.read(Split::test, rows, names, batch);
  std::vector<float> out(view_size);
  Rng rng(1, Purpose::tests);
  dataset.make_view({"v", "image", false, 1, 0}, batch.at("image").values<float>(), view_shape, rng, out);
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], model_input_[view_size + i], 1e-6) << i;
}

TEST_F(PairedDatasetTest, AnAugmentedViewIsACropOfTheTurnedImage) {
  const PairedDataset dataset(path_, {});
  // The whole image's RGB, from which every view must be a piece: its pixel values, turned.
  std::vector<float> whole(image_size);
  Rng none(0, Purpose::tests);
  dataset.make_view({"v", "image", false, 1, 0}, image(0), {3, 152, 152}, none, whole);
  std::sort(whole.begin(), whole.end());
  bool differs = false;
  for (uint64_t draw = 0; draw < 8; ++draw) {
    auto out = view(dataset, 0, true, draw);
    EXPECT_EQ(out, view(dataset, 0, true, draw));
    differs |= out != view(dataset, 0, false, draw);
    std::sort(out.begin(), out.end());
    EXPECT_TRUE(std::includes(whole.begin(), whole.end(), out.begin(), out.end())) << draw;
  }
  EXPECT_TRUE(differs);
}

/// Where the one lit pixel of a dark image lies in an augmented view [3, side, side]: {x, y}; none outside of it.
std::vector<std::pair<int64_t, int64_t>> places_of_the_centre(const PairedDataset& dataset, int64_t side,
                                                              int64_t crop) {
  std::vector<float> raw(image_size, -1.0F), out(static_cast<size_t>(3 * side * side));
  for (size_t band = 0; band < 3; ++band) raw[band * 152 * 152 + 76 * 152 + 76] = 1.0F;
  std::vector<std::pair<int64_t, int64_t>> places;
  for (uint64_t draw = 0; draw < 200; ++draw) {
    Rng rng(draw, Purpose::tests);
    dataset.make_view({"v", "image", true, 1, crop}, raw, {3, side, side}, rng, out);
    for (int64_t i = 0; i < side * side; ++i) {
      if (out[static_cast<size_t>(i)] > 0.0F) places.emplace_back(i % side, i / side);
    }
  }
  return places;
}

TEST_F(PairedDatasetTest, AnAugmentedViewMissesTheCentreByTheJitterAtMost) {
  const PairedDataset dataset(path_, {.image = {.turns = false, .jitter = 3}});
  const auto places = places_of_the_centre(dataset, 48, 0);
  ASSERT_EQ(places.size(), 200U);
  std::set<int64_t> columns, rows;
  for (const auto& [x, y] : places) columns.insert(x), rows.insert(y);
  EXPECT_EQ(columns, (std::set<int64_t>{21, 22, 23, 24, 25, 26, 27}));
  EXPECT_EQ(rows, columns);
}

TEST_F(PairedDatasetTest, ACropOfItsOwnSizeMayLieAnywhere) {
  const PairedDataset dataset(path_, {.image = {.turns = false, .jitter = 3}});
  // 48 of 105 places along each axis hold the centre: about 42 of 200 views.
  const auto places = places_of_the_centre(dataset, 48, 48);
  EXPECT_GT(places.size(), 15U);
  EXPECT_LT(places.size(), 80U);
}

TEST_F(PairedDatasetTest, SpectraAreCopiedUnlessNoiseIsAskedFor) {
  const auto spectrum = std::span(spectra_).first(7781);
  std::vector<float> out(7781);
  Rng rng(1, Purpose::tests);
  const PairedDataset plain(path_, {}), noisy(path_, {.image = {}, .spectrum_noise = 0.5});
  plain.make_view({"v", "spectrum", true, 1, 0}, spectrum, {7781}, rng, out);
  EXPECT_TRUE(std::equal(out.begin(), out.end(), spectrum.begin()));
  noisy.make_view({"v", "spectrum", true, 1, 0}, spectrum, {7781}, rng, out);
  // Neighbours differ by 1, the scatter of which the noise is half: 1 / (0.6745 √2) · 0.5.
  double variance = 0.0;
  for (size_t i = 0; i < out.size(); ++i) variance += std::pow(out[i] - spectrum[i], 2) / 7781.0;
  EXPECT_NEAR(std::sqrt(variance), 0.524, 0.02);
}

TEST_F(PairedDatasetTest, AnUnfitShapeIsRefused) {
  const PairedDataset dataset(path_, {});
  std::vector<float> out(3 * 160 * 160);
  Rng rng(1, Purpose::tests);
  EXPECT_THAT(
      [&] {
        dataset.make_view({"v", "image", false, 1, 0}, image(0), {3, 160, 160}, rng, out);
      },
      ThrowsMessage<Error>(path_ + ": view 'v': the encoder takes images of [3, 160, 160], crops of [3, n, n] "
                                   "with n at most 152 can be had"));
}

}  // namespace
}  // namespace astroclip::data
