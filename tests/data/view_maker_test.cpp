#include "data/view_maker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/error.h"
#include "config/toml.h"
#include "data/preprocessing.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;

/// Fields without rows: what a maker looks at. `stretched`: images go through the published stretch.
class Declared final : public Dataset {
 public:
  explicit Declared(std::vector<Field> fields, bool stretched = false)
      : fields_(std::move(fields)), stretched_(stretched) {}
  std::vector<Field> fields() const override { return fields_; }
  int64_t size(Split) const override { return 0; }
  void read(Split, std::span<const int64_t>, std::span<const std::string>, HostBatch&) const override {}
  config::Table preprocessing() const override { return stretched_ ? published_preprocessing() : config::Table(); }

 private:
  std::vector<Field> fields_;
  bool stretched_;
};

Field field(const std::string& name, const Shape& shape) { return {name, DType::f32, shape, "", ""}; }

/// Numbers 0, 1, 2 … of one object.
HostArray counted(const Shape& shape) {
  HostArray array(DType::f32, HostArray::rows_of(shape, 1));
  std::iota(array.values<float>().begin(), array.values<float>().end(), 0.0F);
  return array;
}

/// The group of images with a crop that far from the centre, turned or not.
ViewGroup shifted(int64_t shift, std::vector<std::string> steps = {"crop"}) {
  ViewGroup group = *known_view_group("image");
  group.steps = std::move(steps);
  group.crop.shift = shift;
  return group;
}

ViewGroup noisy(double level) {
  ViewGroup group = *known_view_group("spectrum");
  group.relative_noise.level = level;
  return group;
}

std::map<std::string, HostArray> make(const ViewMaker& maker, const HostBatch& raw, uint64_t draw = 1) {
  std::map<std::string, HostArray> views;
  maker.make(
      raw, 1, [&](int64_t view) { return Rng(draw, RngStream::tests, 0, static_cast<uint64_t>(view)); }, views);
  return views;
}

TEST(ViewMakerTest, APlainViewIsTheCentreAsItIs) {
  const Declared dataset({field("image", {2, 4, 6})});
  const ViewMaker maker(dataset, {{{.name = "v", .modality = "image"}, {2, 2, 2}}});
  // Rows 1 and 2, columns 2 and 3 of planes of 24.
  EXPECT_THAT(make(maker, {{"image", counted({2, 4, 6})}}).at("v").values<float>(),
              ElementsAre(8, 9, 14, 15, 32, 33, 38, 39));
}

TEST(ViewMakerTest, AnAugmentedViewIsAPieceOfTheStretchedImageTurned) {
  const Declared dataset({field("image", {3, 20, 20})}, true);
  HostBatch raw;
  raw["image"] = counted({3, 20, 20});
  for (float& value : raw["image"].values<float>()) value *= 1e-4F;
  const auto view_of = [&](bool augment, int64_t side, uint64_t draw) {
    const ViewMaker maker(dataset, {{{.name = "v", .modality = "image", .augment = augment},
                                     {3, side, side},
                                     {shifted(4, {"crop", "flip_rotate"})}}});
    const HostArray made = make(maker, raw, draw).at("v");
    const auto values = made.values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  auto whole = view_of(false, 20, 0);
  std::ranges::sort(whole);
  bool differs = false;
  for (uint64_t draw = 0; draw < 8; ++draw) {
    auto view = view_of(true, 14, draw);
    EXPECT_EQ(view, view_of(true, 14, draw));
    differs |= view != view_of(false, 14, draw);
    std::ranges::sort(view);
    EXPECT_TRUE(std::ranges::includes(whole, view)) << draw;
  }
  EXPECT_TRUE(differs);
}

/// Where the one lit pixel of a dark image, at (76, 76), lies in augmented views of 48 pixels: {x, y}; none outside.
std::vector<std::pair<int64_t, int64_t>> places_of_the_centre(int64_t shift) {
  const Declared dataset({field("image", {1, 152, 152})});
  HostBatch raw;
  raw["image"] = HostArray(DType::f32, {1, 1, 152, 152});
  raw["image"].values<float>()[76 * 152 + 76] = 1.0F;
  const ViewMaker maker(dataset,
                        {{{.name = "v", .modality = "image", .augment = true}, {1, 48, 48}, {shifted(shift)}}});
  std::vector<std::pair<int64_t, int64_t>> places;
  for (uint64_t draw = 0; draw < 200; ++draw) {
    const HostArray view = make(maker, raw, draw).at("v");
    for (int64_t i = 0; i < 48 * 48; ++i) {
      if (view.values<float>()[static_cast<size_t>(i)] > 0.0F) places.emplace_back(i % 48, i / 48);
    }
  }
  return places;
}

TEST(ViewMakerTest, AnAugmentedViewMissesTheCentreByTheShiftAtMost) {
  const auto places = places_of_the_centre(3);
  ASSERT_EQ(places.size(), 200U);
  std::set<int64_t> columns, rows;
  for (const auto& [x, y] : places) columns.insert(x), rows.insert(y);
  EXPECT_EQ(columns, (std::set<int64_t>{21, 22, 23, 24, 25, 26, 27}));
  EXPECT_EQ(rows, columns);
}

TEST(ViewMakerTest, ACropWithoutAShiftMayLieAnywhere) {
  // 48 of 105 places along each axis hold the centre: about 42 of 200 views.
  const auto places = places_of_the_centre(-1);
  EXPECT_GT(places.size(), 15U);
  EXPECT_LT(places.size(), 80U);
}

TEST(ViewMakerTest, AnImageAndItsMaskAreCroppedAndTurnedAlike) {
  const Declared dataset({field("image", {2, 30, 30}), field("mask", {30, 30})});
  // The mask and both planes hold the same numbers, so they must agree pixel by pixel.
  HostBatch raw;
  raw["mask"] = counted({30, 30});
  raw["image"] = HostArray(DType::f32, {1, 2, 30, 30});
  for (const int64_t plane : {0, 1})
    std::ranges::copy(raw["mask"].values<float>(), raw["image"].values<float>().begin() + plane * 900);
  const std::vector<ViewPlan> plans = {
      {{.name = "seen", .modality = "image", .augment = true, .crops = 3},
       {2, 10, 10},
       {shifted(-1, {"flip_x", "crop", "flip_y", "flip_rotate"})}},
      {{.name = "valid", .modality = "image", .field = "mask", .with = "seen"}, {2, 10, 10}}};
  const std::vector<ViewMaker> makers = view_makers(dataset, plans);
  ASSERT_EQ(makers.size(), 1U);
  EXPECT_THAT(makers[0].fields(), ElementsAre("image", "mask"));
  const auto views = make(makers[0], raw);
  EXPECT_EQ(views.at("seen").shape, (Shape{3, 2, 10, 10}));
  ASSERT_EQ(views.at("valid").shape, (Shape{3, 10, 10}));
  const auto image = views.at("seen").values<float>(), mask = views.at("valid").values<float>();
  for (size_t crop = 0; crop < 3; ++crop)
    for (size_t i = 0; i < 100; ++i) ASSERT_EQ(image[crop * 200 + i], mask[crop * 100 + i]) << crop << ", " << i;
  EXPECT_FALSE(std::ranges::equal(mask.first(100), mask.last(100)));
}

TEST(ViewMakerTest, SpectraAreCopiedUnlessNoiseIsAskedFor) {
  const Declared dataset({field("spectrum", {7781}), field("spectrum_ivar", {7781})});
  HostBatch raw;
  for (const char* name : {"spectrum", "spectrum_ivar"}) {
    raw[name] = HostArray(DType::f32, {1, 7781});
    for (size_t i = 0; i < 7781; i += 2) raw[name].values<float>()[i] = 1.0F;
  }
  const auto flux = raw["spectrum"].values<float>();
  const auto view_of = [&](const std::string& name, double noise) {
    const ViewMaker maker(
        dataset, {{{.name = "v", .modality = "spectrum", .augment = true, .field = name}, {7781}, {noisy(noise)}}});
    return make(maker, raw).at("v");
  };
  EXPECT_TRUE(std::ranges::equal(view_of("", 0.0).values<float>(), flux));
  EXPECT_TRUE(std::ranges::equal(view_of("spectrum_ivar", 0.5).values<float>(), flux));  // only fluxes get noise
  // Neighbours differ by 1, the scatter of which the noise is half: 1 / (0.6745 √2) · 0.5.
  const HostArray noisy = view_of("", 0.5);
  double variance = 0.0;
  for (size_t i = 0; i < 7781; ++i) variance += std::pow(noisy.values<float>()[i] - flux[i], 2) / 7781.0;
  EXPECT_NEAR(std::sqrt(variance), 0.524, 0.02);
}

TEST(ViewMakerTest, NamesWhatDoesNotFit) {
  const Declared dataset({field("image", {3, 152, 152}), field("spectrum", {100}), field("small", {10, 10})});
  const auto refusal = [&](std::vector<ViewPlan> plans) { return [=, &dataset] { view_makers(dataset, plans); }; };
  const ViewRequest image{.name = "v", .modality = "image"};
  EXPECT_THAT(refusal({{image, {3, 160, 160}}}),
              ThrowsMessage<Error>("[dataset] view 'v': the encoder takes images of [3, 160, 160], field 'image' gives "
                                   "crops of [3, n, n] with n at most 152"));
  EXPECT_THAT(
      refusal({{image, {4, 144, 144}}}),
      ThrowsMessage<Error>("[dataset] view 'v': field 'image' has 3 bands, the encoder takes 4: 'channels' of the "
                           "encoder must be 3, or [dataset.image] 'bands' must choose 4"));
  EXPECT_THAT(refusal({{{.name = "v", .modality = "spectrum"}, {99}}}),
              ThrowsMessage<Error>("[dataset] view 'v': the encoder takes [99], field 'spectrum' is [100]"));
  EXPECT_THAT(refusal({{{.name = "v", .modality = "photometry"}, {5}}}),
              ThrowsMessage<Error>("[dataset] has no field 'photometry'; it has image, spectrum, small"));
  EXPECT_THAT(refusal({{image, {3, 8, 8}}, {{.name = "m", .modality = "image", .field = "small", .with = "v"}, {8}}}),
              ThrowsMessage<Error>("[dataset] view 'm': field 'small' of [10, 10] cannot be cropped like 'image' of "
                                   "[3, 152, 152]"));
  EXPECT_THAT(refusal({{image, {3, 8, 8}}, {{.name = "m", .modality = "image", .field = "small", .with = "w"}, {8}}}),
              ThrowsMessage<Error>("[dataset] view 'm' goes with 'w', which is no view of its own"));
}

TEST(ViewMakerTest, CropsAreMadeByOneGroupAfterAnother) {
  const Declared dataset({field("image", {1, 2, 2})});
  ViewGroup mirrored = *known_view_group("image");
  mirrored.steps = {"flip_x"};
  mirrored.flip_x.probability = 1.0;
  const ViewMaker maker(
      dataset,
      {{{.name = "v", .modality = "image", .augment = true, .crops = 3}, {1, 2, 2}, {{.name = "plain"}, mirrored}}});
  EXPECT_THAT(make(maker, {{"image", counted({1, 2, 2})}}).at("v").values<float>(),
              ElementsAre(0, 1, 2, 3, 1, 0, 3, 2, 0, 1, 2, 3));
}

TEST(Preprocessing, NamesTheStretchBandByBand) {
  const Field four = field("image", {4, 8, 8});
  config::Table table = config::parse_text(
      "[image]\nto_rgb_scales = [6.0, 3.4, 3, 2.2]\nto_rgb_m = 0.03\nto_rgb_q = 20", "preprocessing");
  const auto stretch = stretch_of(table, four);
  ASSERT_TRUE(stretch);
  EXPECT_THAT(stretch->scales, ElementsAre(6.0, 3.4, 3.0, 2.2));
  EXPECT_EQ(stretch->softening, 20.0);
  EXPECT_FALSE(stretch_of(table, field("other", {4, 8, 8})));
  EXPECT_THAT(
      [&] {
        stretch_of(table, field("image", {3, 8, 8}));
      },
      ThrowsMessage<Error>("[dataset] preprocessing of 'image': 'to_rgb_scales' must have 3 numbers, one for "
                           "each band, found 4"));
  table.find("image")->get_if<config::Table>()->erase("to_rgb_m");
  EXPECT_THAT([&] { stretch_of(table, four); },
              ThrowsMessage<Error>("[dataset] preprocessing of 'image': 'to_rgb_m' must be a number, found nothing"));
}

}  // namespace
}  // namespace astroclip::data
