#include "data/image_bands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/toml.h"
#include "data/preprocessing.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;
using Stretching = ImageOptions::Stretching;

/// Images of one pixel: plane b of row r is 10 r + b. Beside them variances, which are 100 more, and a label.
class Small final : public Dataset {
 public:
  Small(int64_t bands, std::string names) : bands_(bands), names_(std::move(names)) {}
  std::vector<Field> fields() const override {
    return {{"image", DType::f32, {bands_, 1, 1}, "", ""},
            {"image_ivar", DType::f32, {bands_, 1, 1}, "", ""},
            {"mass", DType::f64, {}, "", ""}};
  }
  int64_t size(Split) const override { return 5; }
  void read(Split, std::span<const int64_t> rows, std::span<const std::string> names, HostBatch& out) const override {
    for (const std::string& name : names) {
      const Field field = *std::ranges::find(fields_, name, &Field::name);
      HostArray array(field, std::ssize(rows));
      for (size_t i = 0; i < rows.size() && name != "mass"; ++i)
        for (size_t band = 0; band < static_cast<size_t>(bands_); ++band)
          array.values<float>()[i * static_cast<size_t>(bands_) + band] =
              static_cast<float>(10 * rows[i]) + static_cast<float>(band) + (name == "image" ? 0.0F : 100.0F);
      out[name] = std::move(array);
    }
  }
  config::Table preprocessing() const override {
    config::Table all;
    all.set("image", {image_preprocessing(bands_, names_), {}});
    return all;
  }

 private:
  int64_t bands_;
  std::string names_;
  std::vector<Field> fields_ = fields();
};

std::shared_ptr<Dataset> small(int64_t bands, const std::string& names) {
  return std::make_shared<Small>(bands, names);
}

/// The names of the bands, and the stretch, that a dataset's images have.
std::string described(const Dataset& dataset) {
  const Field image = dataset.fields()[0];
  const auto stretch = stretch_of(dataset.preprocessing(), image);
  std::string text = joined_bands(band_names(dataset.preprocessing(), image));
  if (!stretch) return text + " none";
  text += stretch->kind == pixels::Stretch::Kind::rgb ? " rgb" : " arcsinh";
  for (const double scale : stretch->scales) text += fmt::format(" {}", scale);
  return text + fmt::format(" {} {}", stretch->offset, stretch->softening);
}

TEST(ImageBands, TakesSomeInAnOrderOfTheirOwn) {
  const auto dataset = with_image_options(small(4, "griz"), {.bands = "zg"});
  EXPECT_EQ(dataset->fields()[0].shape, (Shape{2, 1, 1}));
  EXPECT_EQ(dataset->fields()[1].shape, (Shape{2, 1, 1}));
  HostBatch batch;
  dataset->read(Split::train, std::vector<int64_t>{3, 0}, std::vector<std::string>{"image", "image_ivar", "mass"},
                batch);
  EXPECT_THAT(batch.at("image").values<float>(), ElementsAre(33, 30, 3, 0));
  EXPECT_THAT(batch.at("image_ivar").values<float>(), ElementsAre(133, 130, 103, 100));
  EXPECT_EQ(batch.at("mass").shape, Shape{2});
  EXPECT_EQ(described(*dataset), "zg none");
}

TEST(ImageBands, HaveTheStretchAskedFor) {
  EXPECT_EQ(described(*with_image_options(small(3, "grz"), {})), "grz rgb 6 3.4 2.2 0.03 20");
  EXPECT_EQ(described(*with_image_options(small(4, "griz"), {})), "griz none");
  EXPECT_EQ(described(*with_image_options(small(4, "griz"), {.bands = "grz"})), "grz rgb 6 3.4 2.2 0.03 20");
  EXPECT_EQ(described(*with_image_options(small(3, "grz"), {.stretch = Stretching::none})), "grz none");
  EXPECT_EQ(described(*with_image_options(small(4, "griz"), {.stretch = Stretching::arcsinh, .offset = 0.0})),
            "griz arcsinh 6 3.4 3 2.2 0 20");
  EXPECT_EQ(described(*with_image_options(small(4, "griz"), {.bands = "zi", .stretch = Stretching::rgb})),
            "zi rgb 2.2 3 0.03 20");
  // Bands that a file does not name.
  EXPECT_EQ(described(*with_image_options(small(2, ""),
                                          {.bands = "VIS,Y", .stretch = Stretching::arcsinh, .scales = {1, 2}})),
            "VIS,Y arcsinh 1 2 0.03 20");
}

std::string problems_of(const std::string& keys) {
  config::Problems problems;
  (void)image_schema().parse(config::parse_text(keys, "e.toml"), {"dataset.image"}, {}, problems);
  try {
    problems.throw_if_any();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ImageBands, NameWhatThereIsNot) {
  const auto refusal = [](std::shared_ptr<Dataset> objects, ImageOptions options) {
    return [=] { (void)with_image_options(objects, options); };
  };
  EXPECT_THAT(refusal(small(4, "griz"), {.bands = "ugr"}),
              ThrowsMessage<Error>("[dataset.image] 'bands' names u, and the dataset has g, r, i, z"));
  EXPECT_THAT(
      refusal(small(5, ""), {.bands = "griz"}),
      ThrowsMessage<Error>("[dataset.image] 'bands' names g, r, i, z, and the dataset has 5 bands without names"));
  EXPECT_THAT(
      refusal(small(2, "uy"), {.stretch = Stretching::rgb}),
      ThrowsMessage<Error>("[dataset.image] 'scales' must be given, one for each of u, y: none is known for u"));
  EXPECT_THAT(
      refusal(small(5, ""), {.stretch = Stretching::rgb}),
      ThrowsMessage<Error>("[dataset.image] 'scales' must be given, 5 numbers: the dataset does not name its bands"));
  EXPECT_THAT(refusal(small(2, "gr"), {.stretch = Stretching::rgb, .scales = {1}}),
              ThrowsMessage<Error>("[dataset.image] 'scales' must have 2 numbers, one for each band, found 1"));
  EXPECT_THAT(problems_of("bands = \"grg\""), testing::HasSubstr("'bands' names g twice"));
}

TEST(AsTaken, ChoosesTheModelsBandsAndStretch) {
  const auto model = with_image_options(small(4, "griz"), {.bands = "iz", .stretch = Stretching::arcsinh});
  const auto taken = as_taken(small(4, "zirg"), model->preprocessing(), "a.h5");
  EXPECT_EQ(described(*taken), described(*model));
  HostBatch batch;
  taken->read(Split::train, std::vector<int64_t>{0}, std::vector<std::string>{"image"}, batch);
  EXPECT_THAT(batch.at("image").values<float>(), ElementsAre(1, 0));
  const auto same = small(3, "grz");
  EXPECT_EQ(as_taken(same, published_preprocessing(), "a.h5"), same);
  EXPECT_THAT([&] { (void)as_taken(small(3, "gri"), published_preprocessing(), "a.h5"); },
              ThrowsMessage<Error>("a.h5: the model takes images in the bands g, r, z, these are in g, r, i"));
}

}  // namespace
}  // namespace astroclip::data
