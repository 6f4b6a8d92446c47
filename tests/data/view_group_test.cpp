#include "data/view_group.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "io/weights/safetensors.h"
#include "pixels/blur.h"
#include "pixels/geometry.h"
#include "support/fixtures.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;

class Published {
 public:
  Published(const std::string& name) : file_(io::SafetensorsFile::open(testing_support::fixture(name))) {}
  bool has(const std::string& name) const { return file_.contains(name); }
  std::vector<float> floats(const std::string& name) const {
    return file_.read(name, DType::f32, Device::host()).to_floats();
  }
  std::vector<double> doubles(const std::string& name) const {
    return file_.read(name, DType::f64, Device::host()).to_doubles();
  }
  std::vector<int64_t> integers(const std::string& name) const {
    const Tensor values = file_.read(name, DType::i64, Device::host());
    const int64_t* data = values.data_as<int64_t>();
    return {data, data + values.numel()};
  }

 private:
  io::SafetensorsFile file_;
};

/// Crops of the published code, made again from its draws by the operations that the steps consist of.
void expect_crops(const std::string& kind, int64_t count, int64_t side) {
  const Published global("augment.global.safetensors"), crops(fmt::format("augment.{}.safetensors", kind));
  const std::vector<float> raw = global.floats("raw");
  constexpr int64_t raw_side = 152, bands = 3;
  const auto area = static_cast<size_t>(side * side);
  for (int64_t number = 0; number < count; ++number) {
    const std::string name = fmt::format("{}.{}.", kind, number);
    const auto window = crops.integers(name + "window"), flags = crops.integers(name + "flags");
    std::vector<float> image(static_cast<size_t>(bands) * area);
    const auto sample = static_cast<size_t>(bands * raw_side * raw_side);
    pixels::crop(std::span(raw).subspan(static_cast<size_t>(window[0]) * sample, sample), raw_side, raw_side,
                 {.x0 = window[3], .y0 = window[2], .height = side, .width = side}, image);
    if (flags[0] != 0) pixels::flip_columns(image, side);
    if (flags[1] != 0) pixels::flip_rows(image, side, side);
    const auto plane = [&](size_t band) { return std::span(image).subspan(band * area, area); };
    if (flags[2] != 0) {
      const auto missing = crops.doubles(name + "psf_applied");
      for (size_t band = 0; band < bands; ++band) pixels::blur(plane(band), side, side, missing[band]);
      if (crops.has(name + "after_blur")) {
        EXPECT_EQ(image, crops.floats(name + "after_blur")) << name;
      }
    }
    if (flags[3] != 0) {
      const auto missing = crops.doubles(name + "noise_applied");
      const std::vector<float> field = crops.floats(name + "noise_field");
      for (size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<float>(image[i] + missing[i / area] * static_cast<double>(field[i]));
      if (crops.has(name + "after_noise")) {
        EXPECT_EQ(image, crops.floats(name + "after_noise")) << name;
      }
    }
    std::vector<float> rgb(image.size());
    pixels::to_rgb(image, {}, rgb);
    const std::vector<float> expected = crops.floats(name + "output");
    for (size_t i = 0; i < rgb.size(); ++i) ASSERT_NEAR(rgb[i], expected[i], 1e-6) << name << i;
  }
}

TEST(ViewSteps, GiveThePublishedGlobalCrops) { expect_crops("global", 4, 144); }
TEST(ViewSteps, GiveThePublishedLocalCrops) { expect_crops("local", 12, 60); }

/// What is missing is √(final² − true²) of the published draws.
TEST(ViewSteps, MissingLevelsAreThoseOfThePublishedCode) {
  const Published crops("augment.local.safetensors");
  int checked = 0;
  for (int number = 0; number < 12; ++number) {
    for (const char* what : {"psf", "noise"}) {
      const std::string name = fmt::format("local.{}.{}", number, what);
      if (!crops.has(name)) continue;
      const auto levels = crops.doubles(name), applied = crops.doubles(name + "_applied");
      for (size_t band = 0; band < 3; ++band, ++checked)
        EXPECT_DOUBLE_EQ(std::sqrt(std::max(0.0, levels[3 + band] * levels[3 + band] - levels[band] * levels[band])),
                         applied[band]);
    }
  }
  EXPECT_EQ(checked, 33);
}

/// One image through a group's steps.
std::vector<float> made(const ViewGroup& group, const StepPlace& place, const std::vector<float>& image,
                        uint64_t draw = 1) {
  std::vector<ViewField> fields;
  fields.emplace_back(place.field, image);
  Rng rng(7, RngStream::tests, 0, draw);
  for (const ViewStep& step : steps_of(group, place)) step(fields, rng);
  return {fields[0].values().begin(), fields[0].values().end()};
}

ViewGroup group_of(std::vector<std::string> steps) {
  ViewGroup group = *known_view_group("global_1");
  group.steps = std::move(steps);
  return group;
}

StepPlace images(int64_t bands, int64_t side, int64_t size, const std::vector<std::string>& names = {}) {
  return {.field = {bands, side, side}, .size = size, .bands = names};
}

double deviation(std::span<const float> values) {
  double sum = 0.0, squares = 0.0;
  for (const float value : values) sum += value, squares += static_cast<double>(value) * value;
  const auto count = static_cast<double>(values.size());
  return std::sqrt(squares / count - sum / count * sum / count);
}

/// Levels follow loc + scale·exp(shape·z): half of all pairs leave nothing to add, and the added noise has the
/// moments of what two draws leave.
TEST(ViewSteps, NoiseHasTheMissingLevel) {
  const StepPlace place = images(3, 40, 40, {"g", "r", "z"});
  const std::vector<float> dark(3 * 40 * 40, 0.0F);
  const ViewGroup group = group_of({"noise"});
  int without = 0;
  double squares = 0.0;
  constexpr int draws = 600;
  for (int draw = 0; draw < draws; ++draw) {
    const std::vector<float> noise = made(group, place, dark, static_cast<uint64_t>(draw));
    const double sigma = deviation(std::span(noise).first(1600));
    without += sigma == 0.0 ? 1 : 0;
    squares += sigma * sigma / draws;
  }
  EXPECT_NEAR(without, draws / 2, 5 * std::sqrt(draws / 4.0));
  // E max(0, f² − t²) over the published fit of g, by quadrature over both normals.
  double expected = 0.0, weights = 0.0;
  const auto level = [](double z) { return -0.0006735 + 0.0037602 * std::exp(0.2264926 * z); };
  for (double a = -6.0; a < 6.0; a += 0.05)
    for (double b = -6.0; b < 6.0; b += 0.05) {
      const double weight = std::exp(-0.5 * (a * a + b * b));
      weights += weight;
      expected += weight * std::max(0.0, level(a) * level(a) - level(b) * level(b));
    }
  EXPECT_NEAR(squares / (expected / weights), 1.0, 0.25);
}

TEST(ViewSteps, ColouredNoiseIsCorrelatedAndOfTheSameLevel) {
  ViewGroup white = group_of({"noise"}), coloured = group_of({"coloured_noise"});
  // True and final levels: the final one is far above in most draws.
  white.noise.shape = coloured.coloured_noise.shape = {3.0};
  white.noise.loc = coloured.coloured_noise.loc = {0.0};
  white.noise.scale = coloured.coloured_noise.scale = {1.0};
  const StepPlace place = images(1, 200, 200);
  const std::vector<float> dark(200 * 200, 0.0F);
  int compared = 0;
  for (uint64_t draw = 0; draw < 12; ++draw) {
    const std::vector<float> a = made(white, place, dark, draw), b = made(coloured, place, dark, draw);
    const double level = deviation(a);
    EXPECT_EQ(deviation(b) == 0.0, level == 0.0);
    if (level == 0.0) continue;
    ++compared;
    EXPECT_NEAR(deviation(b) / level, 1.0, 0.06);
    const auto neighbours = [](const std::vector<float>& image) {
      double products = 0.0, squares = 0.0;
      for (size_t i = 0; i + 1 < image.size(); ++i) {
        products += static_cast<double>(image[i]) * image[i + 1];
        squares += static_cast<double>(image[i]) * image[i];
      }
      return products / squares;
    };
    EXPECT_NEAR(neighbours(a), 0.0, 0.03);
    EXPECT_NEAR(neighbours(b), std::exp(-1.0 / (4.0 * 1.5 * 1.5)), 0.03);
  }
  EXPECT_GT(compared, 2);
}

TEST(ViewSteps, AProbabilityIsAShareOfTheViews) {
  ViewGroup group = group_of({"flip_x"});
  group.flip_x.probability = 0.3;
  const StepPlace place = images(1, 2, 2);
  int flipped = 0;
  for (uint64_t draw = 0; draw < 1000; ++draw) flipped += made(group, place, {0, 1, 2, 3}, draw)[0] == 1.0F ? 1 : 0;
  EXPECT_NEAR(flipped, 300, 5 * std::sqrt(1000 * 0.21));
  group.flip_x.probability = 0.0;
  EXPECT_THAT(made(group, place, {0, 1, 2, 3}), ElementsAre(0, 1, 2, 3));
}

TEST(ViewSteps, OneChannelStays) {
  ViewGroup group = group_of({"channel_dropout"});
  group.channel_dropout.rate = 1.0;
  for (uint64_t draw = 0; draw < 20; ++draw) {
    const std::vector<float> kept = made(group, images(4, 1, 1), {1, 2, 3, 4}, draw);
    EXPECT_EQ(std::ranges::count(kept, 0.0F), 3);
  }
  group.channel_dropout.rate = 0.25;
  int64_t dropped = 0;
  for (uint64_t draw = 0; draw < 1000; ++draw)
    dropped += std::ranges::count(made(group, images(4, 1, 1), {1, 2, 3, 4}, draw), 0.0F);
  EXPECT_NEAR(static_cast<double>(dropped), 750.0, 5 * std::sqrt(1000 * 3 * 0.25 * 0.75));
}

/// The order is the list's: noise before the stretch is clipped by it, noise after it is not. Without a word the
/// stretch is last, and the centre is cut after the pixels have moved.
TEST(ViewSteps, AreDoneInTheirOrder) {
  StepPlace place = images(3, 40, 36);
  place.stretch = pixels::Stretch();
  std::vector<float> ramp(3 * 40 * 40);
  for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i % 7) * 0.1F;
  ViewGroup group = group_of({"relative_noise", "stretch"});
  group.relative_noise.level = 1.0;
  EXPECT_GE(std::ranges::min(made(group, place, ramp)), 0.0F);
  group.steps = {"stretch", "relative_noise"};
  EXPECT_LT(std::ranges::min(made(group, place, ramp)), 0.0F);
  group.steps = {"relative_noise"};
  EXPECT_GE(std::ranges::min(made(group, place, ramp)), 0.0F);
  // Of 41 columns the centre leaves out one at the left and two at the right: column 39 is seen if it is mirrored
  // first.
  std::vector<float> border(41 * 41, 0.0F);
  for (size_t y = 0; y < 41; ++y) border[41 * y + 39] = 1.0F;
  group.steps = {"flip_x"};
  group.flip_x.probability = 1.0;
  EXPECT_EQ(std::ranges::max(made(group, images(1, 41, 38), border)), 1.0F);
}

/// Masks keep their values: 0 and 1 are not mixed, and lie where the image's pixels went.
TEST(ViewSteps, AMaskIsTurnedLikeItsImage) {
  std::vector<float> image(40 * 40, 0.0F), mask(40 * 40, 0.0F);
  for (int y = 8; y < 20; ++y)
    for (int x = 22; x < 34; ++x) image[static_cast<size_t>(y * 40 + x)] = mask[static_cast<size_t>(y * 40 + x)] = 1.0F;
  StepPlace place = images(1, 40, 32);
  const ViewGroup group = group_of({"rotate", "size_jitter", "crop", "flip_x"});
  for (uint64_t draw = 0; draw < 8; ++draw) {
    std::vector<ViewField> fields;
    fields.emplace_back(Shape{1, 40, 40}, image);
    fields.emplace_back(Shape{40, 40}, mask);
    Rng rng(7, RngStream::tests, 0, draw);
    for (const ViewStep& step : steps_of(group, place)) step(fields, rng);
    ASSERT_EQ(fields[1].shape(), (Shape{32, 32}));
    double agree = 0.0;
    for (size_t i = 0; i < 32 * 32; ++i) {
      const float value = fields[1].values()[i];
      ASSERT_TRUE(value == 0.0F || value == 1.0F);
      agree += std::abs(fields[0].values()[i] - value) < 0.75F ? 1.0 : 0.0;
    }
    EXPECT_GT(agree / (32 * 32), 0.98);
  }
}

TEST(ViewSteps, FluxStepsLeaveOtherFieldsAlone) {
  StepPlace place = images(2, 4, 4);
  place.is_flux = false;
  std::vector<float> ivar(2 * 4 * 4);
  for (size_t i = 0; i < ivar.size(); ++i) ivar[i] = static_cast<float>(i);
  EXPECT_EQ(made(group_of({"blur", "noise", "channel_dropout"}), place, ivar), ivar);
}

TEST(ViewSteps, NameWhatDoesNotFit) {
  const auto refusal = [](const ViewGroup& group, const StepPlace& place) {
    return [=] { (void)steps_of(group, place); };
  };
  EXPECT_THAT(
      refusal(group_of({"blur"}), images(4, 8, 8)),
      ThrowsMessage<Error>("[dataset.views.global_1] blur: the dataset does not name its bands, so 'shape', 'loc' "
                           "and 'scale' must be given, 4 numbers each"));
  EXPECT_THAT(
      refusal(group_of({"noise"}), images(2, 8, 8, {"g", "VIS"})),
      ThrowsMessage<Error>("[dataset.views.global_1] noise: there is no fit for the band VIS, so 'shape', 'loc' "
                           "and 'scale' must be given, for g, VIS"));
  ViewGroup three = group_of({"coloured_noise"});
  three.coloured_noise.shape = {0.1, 0.1};
  three.coloured_noise.loc = {0, 0};
  three.coloured_noise.scale = {1, 1, 1};
  EXPECT_THAT(refusal(three, images(2, 8, 8)),
              ThrowsMessage<Error>("[dataset.views.global_1] coloured_noise: 'scale' must have 2 numbers, one for each "
                                   "band, found 3"));
  EXPECT_THAT(refusal(group_of({"crop"}), {.field = {7781}}),
              ThrowsMessage<Error>("[dataset.views.global_1] step 'crop' is for images, the field is [7781]"));
}

TEST(KnownGroups, HaveThePublishedProbabilities) {
  const auto probabilities = [](const std::string& name) {
    const ViewGroup group = *known_view_group(name);
    EXPECT_THAT(group.steps, ElementsAre("crop", "flip_x", "flip_y", "blur", "noise", "stretch"));
    EXPECT_EQ(group.flip_x.probability, 0.5);
    EXPECT_EQ(group.blur.probability, group.noise.probability);
    return group.blur.probability;
  };
  EXPECT_EQ(probabilities("global_1"), 1.0);
  EXPECT_EQ(probabilities("global_2"), 0.1);
  EXPECT_EQ(probabilities("local"), 0.5);
  EXPECT_EQ(probabilities("global_1_released"), 0.0);
  EXPECT_EQ(probabilities("global_2_released"), 0.9);
  EXPECT_EQ(probabilities("local_released"), 0.5);
}

}  // namespace
}  // namespace astroclip::data
