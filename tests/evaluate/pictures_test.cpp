// What can be shown of a dataset follows from the shapes of its fields and from its preprocessing.
#include "evaluate/pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace astroclip::evaluate {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

config::Value number(double value) { return {value, {}}; }
config::Value text(const std::string& value) { return {value, {}}; }

/// Fields without objects.
class Described final : public Dataset {
 public:
  Described(std::vector<Field> fields, config::Table preprocessing)
      : fields_(std::move(fields)), preprocessing_(std::move(preprocessing)) {}
  std::vector<Field> fields() const override { return fields_; }
  int64_t size(Split) const override { return 0; }
  void read(Split, std::span<const int64_t>, std::span<const std::string>, HostBatch&) const override {}
  config::Table preprocessing() const override { return preprocessing_; }

 private:
  std::vector<Field> fields_;
  config::Table preprocessing_;
};

config::Table grid(double first, double step) {
  config::Table table;
  table.set("first_wavelength", number(first));
  table.set("wavelength_step", number(step));
  return table;
}

/// One field with that table.
Described with_table(const Field& field, const config::Table& table) {
  config::Table all;
  all.set(field.name, {table, {}});
  return {{field}, all};
}

TEST(ShownFields, AreImagesAndSpectraOfAnyName) {
  config::Table preprocessing;
  preprocessing.set("hsc", {config::Table(), {}});
  preprocessing.set("lamost", {grid(3690.0, 1.5), {}});
  preprocessing.set("photometry", {config::Table(), {}});
  const Described dataset({{"hsc", DType::f32, {5, 64, 64}, "", ""},
                           {"hsc_mask", DType::f32, {5, 64, 64}, "", ""},
                           {"euclid", DType::f32, {1, 32, 32}, "", ""},
                           {"lamost", DType::f32, {3000}, "", ""},
                           {"lamost_ivar", DType::f32, {3000}, "", ""},
                           {"photometry", DType::f32, {9}, "", ""},
                           {"redshift", DType::f64, {}, "", ""}},
                          preprocessing);
  const ShownFields shown = shown_fields(dataset, {"euclid"});
  ASSERT_EQ(shown.images.size(), 2U);
  EXPECT_EQ(shown.images[0].name, "hsc");
  EXPECT_EQ(shown.images[1].name, "euclid");
  ASSERT_EQ(shown.spectra.size(), 1U);
  EXPECT_EQ(shown.spectra[0].field.name, "lamost");
  EXPECT_EQ(shown.spectra[0].wavelengths.at(2.0), 3693.0);
}

TEST(ShownFields, NeedWavelengthsThatRise) {
  EXPECT_THAT(
      [] {
        (void)shown_fields(with_table({"lamost", DType::f32, {9}, "", ""}, grid(3690.0, 0.0)), {});
      },
      ThrowsMessage<Error>(
          HasSubstr("[dataset] preprocessing of 'lamost': 'wavelength_step' must be above 0, found 0")));
}

/// The planes of blue, green and red, by the names of bands.
std::vector<int64_t> planes_of(const std::string& names, int64_t bands) {
  config::Table table;
  table.set("bands", text(names));
  const Field field{"image", DType::f32, {bands, 2, 2}, "", ""};
  return colours_of(with_table(field, table), field, {}).bands;
}

TEST(Colours, AreOfTheBandsByTheirNames) {
  EXPECT_THAT(planes_of("zirg", 4), ElementsAre(3, 2, 0));
  EXPECT_THAT(planes_of("VIS,Y,J,H", 4), ElementsAre(0, 2, 3));
  EXPECT_THAT(planes_of("r", 1), ElementsAre(0, 0, 0));
}

TEST(Colours, AreStretchedAsTheDatasetDoes) {
  config::Table table;
  table.set("bands", text("ugriz"));
  table.set("arcsinh_scales", {config::Array{number(9), number(8), number(7), number(6), number(5)}, {}});
  table.set("arcsinh_m", number(0.1));
  table.set("arcsinh_q", number(4));
  const Field field{"image", DType::f32, {5, 2, 2}, "", ""};
  const Colours colours = colours_of(with_table(field, table), field, {});
  EXPECT_THAT(colours.stretch.scales, ElementsAre(8.0, 7.0, 5.0));
  EXPECT_EQ(colours.stretch.offset, 0.1);
  EXPECT_EQ(colours.stretch.softening, 4.0);
}

/// The published stretch is of nanomaggies.
TEST(Colours, WithoutAStretchAreThePublishedOnesOrByBrightness) {
  config::Table table;
  table.set("bands", text("griz"));
  const Field field{"image", DType::f32, {4, 1, 1}, "", ""};
  // Two images of one pixel; of g the brightest is 2, of r 3, of z 10.
  const std::vector<float> images = {1.0F, 3.0F, 9.0F, 10.0F, 2.0F, 1.0F, 9.0F, -10.0F};
  EXPECT_THAT(colours_of(with_table(field, table), field, images).stretch.scales,
              ElementsAre(DoubleNear(0.15, 0.005), DoubleNear(0.1, 0.005), DoubleNear(0.03, 0.001)));
  table.set("unit", text("nanomaggies"));
  EXPECT_THAT(colours_of(with_table(field, table), field, images).stretch.scales, ElementsAre(6.0, 3.4, 2.2));
}

}  // namespace
}  // namespace astroclip::evaluate
