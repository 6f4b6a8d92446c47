#include "fits/image_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "fits/observations.h"
#include "support/fits_files.h"
#include "support/real_data.h"
#include "support/scratch.h"

namespace astroclip::fits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::FitsWriter;
using testing_support::real_file;

std::string image_path(const std::string& name) { return testing_support::scratch("images_" + name); }

/// [planes, side, side]: values of plane k are k + 1 and a little more.
std::vector<double> planes(int64_t count, int64_t side = 152) {
  std::vector<double> values;
  for (int64_t i = 0; i < count * side * side; ++i) {
    values.push_back(static_cast<double>(1 + i / (side * side)) + 1e-3 * static_cast<double>(i % 100));
  }
  return values;
}

/// North up and east left, with the centre at a place; the axes of the sky are `axis` and the next.
FitsWriter& at(FitsWriter& file, double ra, double dec, int64_t side = 152, double scale = 0.262, int axis = 1) {
  const auto name = [&](const char* key, int of) { return fmt::format("{}{}", key, axis + of); };
  const double centre = 0.5 * static_cast<double>(side + 1);
  return file.key(name("CTYPE", 0), "RA---TAN")
      .key(name("CTYPE", 1), "DEC--TAN")
      .key(name("CRVAL", 0), ra)
      .key(name("CRVAL", 1), dec)
      .key(name("CRPIX", 0), centre)
      .key(name("CRPIX", 1), centre)
      .key(name("CDELT", 0), -scale / 3600)
      .key(name("CDELT", 1), scale / 3600);
}

/// The images of files, and what was said of them.
std::vector<ImagesOfFile> read(const std::vector<std::string>& files, ImageOptions options = {}) {
  ImageReader reader(std::move(options));
  for (const std::string& file : files) {
    Observations found = read_observations(file);
    EXPECT_TRUE(found.refused.empty()) << found.refused[0].reason;
    reader.add(std::move(found.images));
  }
  return reader.whole_images();
}

std::string refusal(const std::string& file, ImageOptions options = {}) {
  Observations found = read_observations(file);
  if (!found.refused.empty()) return found.refused[0].reason;
  ImageReader reader(std::move(options));
  reader.add(std::move(found.images));
  const auto images = reader.whole_images();
  return images.size() == 1 && images[0].refused.size() == 1 ? images[0].refused[0] : "";
}

/// First pixels of the planes of the only image.
std::vector<float> first_pixels(const std::vector<ImagesOfFile>& read) {
  std::vector<float> values;
  if (read.size() != 1 || read[0].images.size() != 1) return values;
  const std::vector<float>& all = read[0].images[0].planes;
  for (size_t i = 0; i < all.size(); i += 152UL * 152UL) values.push_back(all[i]);
  return values;
}

/// A cube whose header names its planes.
std::string cube(const std::string& name, const std::string& bands) {
  FitsWriter file(image_path(name));
  file.image("", {std::ssize(bands), 152, 152}, planes(std::ssize(bands)));
  at(file, 150.0, 2.0).key("BANDS", bands);
  return image_path(name);
}

TEST(Bands, AreChosenByTheirNames) {
  EXPECT_THAT(first_pixels(read({cube("grz.fits", "grz")})), ElementsAre(1.0F, 2.0F + 0.004F, 3.0F + 0.008F));
  const auto whole = [](const std::vector<float>& pixels) {
    std::vector<int> values;
    for (const float pixel : pixels) values.push_back(static_cast<int>(pixel));
    return values;
  };
  EXPECT_THAT(whole(first_pixels(read({cube("zrg.fits", "zrg")}))), ElementsAre(3, 2, 1));
  EXPECT_THAT(whole(first_pixels(read({cube("griz.fits", "griz")}))), ElementsAre(1, 2, 4));
  EXPECT_THAT(whole(first_pixels(read({cube("griz.fits", "griz")}, {.bands = {"i", "g"}}))), ElementsAre(3, 1));
  EXPECT_EQ(refusal(cube("gri.fits", "gri")),
            "has the bands g, r, i (BANDS); of g, r, z, which are wanted, z is missing");
  EXPECT_EQ(refusal(cube("gi.fits", "gi")),
            "has the bands g, i (BANDS); of g, r, z, which are wanted, r, z are missing");
}

TEST(Bands, AreNumberedOrNamedAtLength) {
  FitsWriter numbered(image_path("numbered.fits"));
  numbered.image("", {3, 152, 152}, planes(3));
  at(numbered, 150.0, 2.0).key("BAND0", "HSC-Z").key("BAND1", "HSC-R2").key("BAND2", "HSC-G").close();
  EXPECT_EQ(first_pixels(read({image_path("numbered.fits")}))[0], 3.0F + 0.008F);
  FitsWriter euclid(image_path("euclid.fits"));
  euclid.image("", {3, 152, 152}, planes(3));
  at(euclid, 150.0, 2.0).key("BANDS", "VIS,Y,J").close();
  EXPECT_EQ(first_pixels(read({image_path("euclid.fits")}, {.bands = {"J", "VIS"}})).at(1), 1.0F);
}

TEST(Bands, ThatContradictEachOtherAreRefused) {
  const auto with = [](const std::string& bands, const std::string& second) {
    FitsWriter file(image_path("contradiction.fits"));
    file.image("", {3, 152, 152}, planes(3));
    at(file, 150.0, 2.0).key("BANDS", bands);
    if (!second.empty()) file.key("BAND0", "g").key("BAND1", second).key("BAND2", "z");
    file.close();
    return refusal(image_path("contradiction.fits"));
  };
  EXPECT_EQ(with("grz", "i"), "HDU 'PRIMARY': BANDS = 'grz' and BANDn = g, i, z contradict each other");
  EXPECT_EQ(with("griz", ""), "HDU 'PRIMARY': BANDS = 'griz' names 4 bands for 3 planes");
  EXPECT_EQ(with("grz", "r"), "");
}

TEST(Bands, WithoutNamesAreTheThreePublishedOnes) {
  FitsWriter three(image_path("unnamed3.fits"));
  three.image("", {3, 152, 152}, planes(3));
  at(three, 150.0, 2.0).close();
  const auto images = read({image_path("unnamed3.fits")});
  EXPECT_THAT(images[0].notes[0], HasSubstr("planes without BANDS taken as g, r, z; no unit, taken as nanomaggies"));
  FitsWriter four(image_path("unnamed4.fits"));
  four.image("", {4, 152, 152}, planes(4));
  at(four, 150.0, 2.0).close();
  EXPECT_EQ(refusal(image_path("unnamed4.fits")),
            "HDU 'PRIMARY': no word names the bands of its 4 planes (BANDS, BAND0 …), and 3 are wanted: g, r, z");
  EXPECT_EQ(first_pixels(read({image_path("unnamed4.fits")}, {.bands = {"g", "r", "i", "z"}})).size(), 4U);
}

TEST(BandsApart, AreJoinedFromHdus) {
  FitsWriter file(image_path("hdus.fits"));
  file.empty_primary();
  for (const auto& [name, level] : {std::pair("IMAGE_Z", 3.0), {"IMAGE_G", 1.0}, {"IMAGE_R", 2.0}}) {
    std::vector<double> values = planes(1);
    values[0] = level;
    file.image(name, {152, 152}, values);
    at(file, 150.0, 2.0);
  }
  file.close();
  EXPECT_THAT(first_pixels(read({image_path("hdus.fits")})), ElementsAre(1.0F, 2.0F, 3.0F));
}

TEST(BandsApart, AreJoinedFromFiles) {
  // A second field lies 3" to the north; its r is missing.
  const auto write = [](const std::string& name, double dec, double level, bool has_word) {
    std::vector<double> values = planes(1);
    for (double& value : values) value += level;
    FitsWriter file(image_path(name));
    file.empty_primary().compress(8).image("", {152, 152}, values);
    at(file, 150.0, dec);
    if (has_word) file.key("FILTER", "r DECam SDSS c0002 6415.0 1480.0");
    file.close();
    return image_path(name);
  };
  const auto images =
      read({write("legacysurvey-1500p020-image-z.fits.fz", 2.0, 3.0, false), write("frame-g.fits", 2.0, 1.0, false),
            write("other-g.fits", 2.0 + 3.0 / 3600, 7.0, false), write("some.fits", 2.0 + 0.01 / 3600, 2.0, true)});
  ASSERT_EQ(images.size(), 2U);
  ASSERT_EQ(images[0].images.size(), 1U);
  EXPECT_EQ(images[0].others.size(), 2U);
  EXPECT_EQ(images[0].images[0].planes[0], 2.0F);
  EXPECT_EQ(images[0].images[0].planes[152UL * 152], 3.0F);
  EXPECT_EQ(images[0].images[0].planes[2UL * 152 * 152], 4.0F);
  EXPECT_THAT(images[1].refused,
              ElementsAre("has the band g (the file's name); of g, r, z, which are wanted, r, z are missing"));
}

TEST(Layouts, BandsMayBeTheFastestAxisOrBesideAnAxisOfOne) {
  std::vector<double> last(3UL * 152 * 160);
  for (size_t i = 0; i < last.size(); ++i)
    last[i] = static_cast<double>(1 + i % 3) + 1e-3 * static_cast<double>(i / 3 % 160);
  for (const int axis : {1, 2}) {  // of the sky: as the planes had them, and as they are
    FitsWriter file(image_path("last.fits"));
    file.image("", {152, 160, 3}, last);
    at(file, 150.0, 2.0, 152, 0.262, axis).key(fmt::format("CRPIX{}", axis), 80.5).close();
    EXPECT_THAT(first_pixels(read({image_path("last.fits")})), ElementsAre(1.004F, 2.004F, 3.004F)) << axis;
  }
  FitsWriter four(image_path("four.fits"));
  four.image("", {1, 3, 152, 152}, planes(3));
  at(four, 150.0, 2.0).close();
  EXPECT_THAT(first_pixels(read({image_path("four.fits")})), ElementsAre(1.0F, 2.004F, 3.008F));
}

TEST(Hdus, AreToldApartByWordsAndByNumber) {
  std::vector<double> variance(3UL * 152 * 152, 1e4);
  FitsWriter first(image_path("invvar_first.fits"));
  first.empty_primary().image("INVVAR", {3, 152, 152}, variance);
  at(first, 150.0, 2.0).image("IMAGE", {3, 152, 152}, planes(3));
  at(first, 150.0, 2.0).close();
  EXPECT_EQ(first_pixels(read({image_path("invvar_first.fits")})).at(0), 1.0F);

  FitsWriter unnamed(image_path("unnamed.fits"));
  unnamed.empty_primary().image("", {152, 152}, std::vector<double>(152UL * 152, 0.0), 16);
  at(unnamed, 150.0, 2.0).image("", {3, 152, 152}, planes(3));
  at(unnamed, 150.0, 2.0).close();
  const auto images = read({image_path("unnamed.fits")});
  EXPECT_EQ(first_pixels(images).at(0), 1.0F);
  EXPECT_THAT(images[0].notes.back(), "left out: HDU 2");

  FitsWriter two(image_path("two.fits"));
  two.empty_primary().image("", {3, 152, 152}, variance);
  at(two, 150.0, 2.0).image("", {3, 152, 152}, planes(3));
  at(two, 150.0, 2.0).close();
  EXPECT_EQ(refusal(image_path("two.fits")),
            "HDU 2 and HDU 3 are images of one place, and no EXTNAME tells which is the image");

  FitsWriter model(image_path("model.fits"));
  model.image("", {3, 152, 152}, variance);
  at(model, 150.0, 2.0).key("IMTYPE", "model").image("SCI", {3, 152, 152}, planes(3));
  at(model, 150.0, 2.0).close();
  EXPECT_EQ(first_pixels(read({image_path("model.fits")})).at(0), 1.0F);
}

TEST(Masks, TakePixelsOut) {
  const auto masked = [](const std::string& hdu, double good, double bad, int bits, const auto& keys) {
    std::vector<double> mask(152UL * 152, good);
    for (size_t i = 0; i < 500; ++i) mask[i] = bad;
    FitsWriter file(image_path("masked.fits"));
    file.empty_primary().image("IMAGE", {3, 152, 152}, planes(3));
    at(file, 150.0, 2.0).image(hdu, {152, 152}, mask, bits);
    keys(file);
    file.close();
    const auto images = read({image_path("masked.fits")});
    if (images.size() != 1 || images[0].images.size() != 1) return int64_t{-1};
    EXPECT_THAT(images[0].notes[0], HasSubstr(fmt::format("HDU '{}' obeyed", hdu)));
    return static_cast<int64_t>(std::ranges::count(images[0].images[0].planes, 0.0F));
  };
  const auto none = [](FitsWriter&) {};
  EXPECT_EQ(masked("MASK", 0.0, 4.0, 16, none), 1500);
  EXPECT_EQ(masked("INVVAR", 2.0, 0.0, -32, none), 1500);
  EXPECT_EQ(masked("WHT", 2.0, NAN, -32, none), 1500);
  // HSC's masks tell by MP_ which of their bits are bad; a source that was detected is not.
  const auto planes_of_mask = [](FitsWriter& file) {
    file.key("MP_BAD", 0.0).key("MP_SAT", 1.0).key("MP_DETECTED", 5.0);
  };
  EXPECT_EQ(masked("MASK", 32.0, 34.0, 32, planes_of_mask), 1500);
}

TEST(Masks, MayCoverLittle) {
  FitsWriter file(image_path("covered.fits"));
  file.empty_primary().image("IMAGE", {3, 152, 152}, planes(3));
  at(file, 150.0, 2.0).image("IVAR", {3, 152, 152}, std::vector<double>(3UL * 152 * 152, 0.0));
  file.close();
  EXPECT_EQ(refusal(image_path("covered.fits")), "100 % of the pixels in g are exactly 0 or not measured, the limit is 5 %");
}

TEST(Units, AreObeyedPlaneByPlane) {
  FitsWriter file(image_path("units.fits"));
  file.empty_primary();
  for (const auto& [band, zero] : {std::pair("g", 22.5), {"r", 25.0}, {"z", 30.0}}) {
    file.image(band, {152, 152}, planes(1));
    at(file, 150.0, 2.0).key("MAGZERO", zero);
  }
  file.close();
  const auto pixels = first_pixels(read({image_path("units.fits")}));
  ASSERT_EQ(pixels.size(), 3U);
  EXPECT_FLOAT_EQ(pixels[0], 1.0F);
  EXPECT_FLOAT_EQ(pixels[1], 0.1F);
  EXPECT_FLOAT_EQ(pixels[2], 1e-3F);
  FitsWriter unknown_unit(image_path("unknown_unit.fits"));
  unknown_unit.image("", {3, 152, 152}, planes(3));
  at(unknown_unit, 150.0, 2.0).key("BUNIT", "furlong").close();
  EXPECT_EQ(refusal(image_path("unknown_unit.fits")), "HDU 'PRIMARY': BUNIT = 'furlong' is no unit of flux that is known");
}

/// A unit of flux keeps the flux on pixels of another size, none or one of brightness keeps the brightness.
TEST(Units, TellWhetherFluxIsKept) {
  const auto mean = [](const std::string& unit, ImageOptions options) {
    FitsWriter file(image_path("scale.fits"));
    file.image("", {3, 200, 200}, planes(3, 200));
    at(file, 150.0, 2.0, 200, 0.396);
    if (!unit.empty()) file.key("BUNIT", unit);
    file.close();
    const auto images = read({image_path("scale.fits")}, std::move(options));
    const std::vector<float>& all = images.at(0).images.at(0).planes;
    double sum = 0.0;
    for (size_t i = 0; i < 152UL * 152; ++i) sum += all[i];
    return sum / (152.0 * 152.0) / 1.0495;
  };
  const double ratio = 0.262 * 0.262 / 0.396 / 0.396;
  EXPECT_NEAR(mean("", {}), 1.0, 2e-3);
  EXPECT_NEAR(mean("nanomaggy", {}), ratio, 2e-3);
  EXPECT_NEAR(mean("nanomaggy/arcsec2", {}), 0.262 * 0.262, 2e-4);
  EXPECT_NEAR(mean("nanomaggy", {.values = PixelValues::brightness}), 1.0, 2e-3);
  EXPECT_NEAR(mean("", {.values = PixelValues::flux}), ratio, 2e-3);
}

TEST(WholeImages, NeedAPlaceOnTheSkyAndASizeOfOneGalaxy) {
  FitsWriter(image_path("nowhere.fits")).image("", {3, 200, 200}, planes(3, 200));
  EXPECT_EQ(refusal(image_path("nowhere.fits")),
            "HDU 'PRIMARY': its axes are no positions on the sky (CTYPE1 = '', CTYPE2 = '')");
  const auto of_size = [](int64_t side, double scale) {
    FitsWriter file(image_path("size.fits"));
    file.image("", {3, side, side}, planes(3, side));
    at(file, 150.0, 2.0, side, scale).close();
    return image_path("size.fits");
  };
  EXPECT_EQ(refusal(of_size(91, 0.263)),
            "too small: 91 x 91 pixels of 0.263\" do not hold 152 x 152 pixels of 0.262\", north up");
  EXPECT_EQ(refusal(of_size(800, 0.262)),
            "800 x 800 pixels of 0.262\" are a field, not an image of one galaxy: stamps are cut out of it at the "
            "places of --at");
  FitsWriter(image_path("spectral.fits")).image("", {46, 200, 200}, planes(46, 200));
  EXPECT_EQ(refusal(image_path("spectral.fits")),
            "HDU 'PRIMARY': expected an image of at most 16 bands, found [46, 200, 200]");
  FitsWriter flat(image_path("flat.fits"));
  flat.image("", {3, 152, 152}, std::vector<double>(3UL * 152 * 152, 0.01));
  at(flat, 150.0, 2.0).close();
  EXPECT_EQ(refusal(image_path("flat.fits")), "all pixels in g are 0.01: nothing was observed");
  // The centre lies 10 pixels to the west of the reference.
  FitsWriter file(image_path("west.fits"));
  file.image("", {3, 200, 200}, planes(3, 200));
  at(file, 150.0, 2.0, 200, 0.25).key("CRPIX1", 90.5).close();
  const auto images = read({image_path("west.fits")});
  EXPECT_NEAR(images[0].images[0].position.ra, 150.0 - 2.5 / 3600 / std::cos(2.0 * M_PI / 180.0), 1e-8);
  EXPECT_NEAR(images[0].images[0].position.dec, 2.0, 1e-8);
}

/// Of two bricks that overlap, a stamp comes from the one in which its place lies deeper.
TEST(Stamps, ArePutIntoAStoreAsTheyAreCut) {
  PixelStore store(image_path("stored.h5"));
  std::vector<ObservedImage> kept, stored;
  for (PixelStore* into : {static_cast<PixelStore*>(nullptr), &store}) {
    ImageReader reader({}, into);
    reader.add(read_observations(cube("stored_a.fits", "grz")).images);
    reader.add(read_observations(cube("stored_b.fits", "zrg")).images);
    for (const ImagesOfFile& field : reader.whole_images()) {
      ASSERT_EQ(field.images.size(), 1U);
      (into == nullptr ? kept : stored).push_back(field.images[0]);
    }
  }
  ASSERT_EQ(stored.size(), 2U);
  EXPECT_NE(kept[0].planes, kept[1].planes);
  std::vector<float> planes(kept[0].planes.size());
  for (const size_t i : {1, 0}) {
    EXPECT_TRUE(stored[i].planes.empty());
    store.read(stored[i].stored, planes);
    EXPECT_EQ(planes, kept[i].planes);
  }
  EXPECT_FALSE(std::filesystem::exists(image_path("stored.h5")));
}

TEST(Stamps, AreCutOutOfTheBestBrick) {
  const auto brick = [](const std::string& name, double ra, double level) {
    std::vector<double> values = planes(3, 600);
    for (double& value : values) value += level;
    FitsWriter file(image_path(name));
    file.empty_primary().compress(7).image("", {3, 600, 600}, values);
    at(file, ra, 0.0, 600).close();
    return image_path(name);
  };
  ImageReader reader({});
  const double pixel = 0.262 / 3600;
  for (const std::string& file :
       {brick("east.fits", 10.0 + 200 * pixel, 100.0), brick("west.fits", 10.0 - 200 * pixel, 200.0)}) {
    reader.add(read_observations(file).images);
  }
  const std::vector<SkyPosition> places = {{10.0 + 10 * pixel, 100 * pixel},
                                           {10.0 - 10 * pixel, -200 * pixel},
                                           {10.0, 250 * pixel},
                                           {10.0 + 300 * pixel, -100 * pixel},
                                           {11.0, 0.0},
                                           {NAN, 0.0}};
  const StampsAtPlaces stamps = reader.stamps(places);
  ASSERT_EQ(stamps.files.size(), 2U);
  std::vector<int64_t> east, west;
  for (const ObservedImage& image : stamps.files[0].images) east.push_back(*image.place);
  for (const ObservedImage& image : stamps.files[1].images) west.push_back(*image.place);
  EXPECT_THAT(east, ElementsAre(0, 3));
  EXPECT_THAT(west, ElementsAre(1));
  EXPECT_THAT(stamps.refused, ElementsAre(std::pair<int64_t, std::string>(2, "lies too near the edge of the images"),
                                          std::pair<int64_t, std::string>(4, "lies on none of the images"),
                                          std::pair<int64_t, std::string>(5, "its position is not on the sky")));
  // Place 3 is 100 pixels to the east of its brick's centre and 100 to the south: its first pixel is (124, 124).
  const double value = 101.0 + 1e-3 * static_cast<double>((600 * 124 + 124) % 100);
  EXPECT_FLOAT_EQ(stamps.files[0].images[1].planes[0], static_cast<float>(value));
  EXPECT_LT(separation(stamps.files[0].images[1].position, places[3]), 1e-6);
}

TEST(RealImages, TheSdssSpectrumAndTheImageAreOfOneGalaxy) {
  const std::string spectrum = real_file("spectra/sdss_spec-0266-51602-0001.fits");
  const std::string image = real_file("images/gzdecals_example_a.fits");
  if (spectrum.empty() || image.empty()) GTEST_SKIP() << "no real observations";
  const Observations sdss = read_observations(spectrum);
  const auto decals = read({image});
  ASSERT_EQ(sdss.spectra.size(), 1U);
  ASSERT_EQ(decals.at(0).images.size(), 1U);
  EXPECT_LT(separation(*sdss.spectra[0].position, decals[0].images[0].position), 1.0 / 3600.0);
}

TEST(RealImages, ThatAreRefused) {
  const std::string bad = real_file("images/gzdecals_example_bad_pix.fits");
  if (bad.empty()) GTEST_SKIP() << "no real observations";
  EXPECT_THAT(refusal(bad),
              testing::MatchesRegex("[0-9]+ % of the pixels in g are exactly 0 or not measured, the limit is 5 %"));
  EXPECT_EQ(refusal(real_file("images/gzdecals_example_incomplete.fits")),
            "is truncated: the data of HDU 'PRIMARY' end at byte 2160192, but the file ends at byte 1389044");
  EXPECT_EQ(refusal(real_file("images/des46_g.fits")),
            "HDU 'PRIMARY': expected an image of at most 16 bands, found [46, 91, 91]");
}

}  // namespace
}  // namespace astroclip::fits
