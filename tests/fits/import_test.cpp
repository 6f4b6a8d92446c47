#include "fits/import.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "data/loader.h"
#include "data/paired_dataset.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "support/fits_files.h"
#include "support/real_data.h"
#include "support/scratch.h"

namespace astroclip::fits {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::ThrowsMessage;
using testing_support::arcsec;
using testing_support::FitsWriter;
using testing_support::real_file;
using Column = FitsWriter::Column;

class ImportTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return testing_support::scratch("import_" + name); }
  ImportTest() { fs::remove(output_); }

  /// `count` fibres with flux 1, 2, … and TARGETIDs 100, 101, … along declination `dec`, one degree apart.
  std::string coadd(const std::string& name, int64_t count, double dec, int64_t first_id = 100,
                    double ivar = 1.0) const {
    constexpr int64_t pixels = 5000;
    std::vector<double> wavelength, flux, ra;
    std::vector<int64_t> id;
    for (int64_t i = 0; i < pixels; ++i) wavelength.push_back(3600.0 + 0.8 * static_cast<double>(i));
    for (int64_t row = 0; row < count; ++row) {
      flux.insert(flux.end(), pixels, static_cast<double>(row + 1));
      ra.push_back(150.0 + static_cast<double>(row));
      id.push_back(first_id + row);
    }
    const auto rows = static_cast<size_t>(count);
    FitsWriter(path(name))
        .empty_primary()
        .image("B_WAVELENGTH", {pixels}, wavelength, -64)
        .image("B_FLUX", {count, pixels}, flux)
        .image("B_IVAR", {count, pixels}, std::vector<double>(rows * pixels, ivar))
        .table("FIBERMAP", count,
               {Column{"TARGETID", "K", {}, id}, Column{"TARGET_RA", "D", ra},
                Column{"TARGET_DEC", "D", std::vector<double>(rows, dec)}});
    return path(name);
  }
  std::string image(const std::string& name, double ra, double dec, int64_t bands = 3) const {
    std::vector<double> values(static_cast<size_t>(bands) * 152 * 152, 5.0);
    for (size_t i = 1; i < values.size(); i += 2) values[i] = 6.0;
    FitsWriter(path(name))
        .image("", {bands, 152, 152}, values)
        .key("CTYPE1", "RA---TAN")
        .key("CTYPE2", "DEC--TAN")
        .key("CRVAL1", ra)
        .key("CRVAL2", dec)
        .key("CRPIX1", 76.5)
        .key("CRPIX2", 76.5)
        .key("CD1_1", -0.262 / 3600)
        .key("CD2_2", 0.262 / 3600);
    return path(name);
  }
  std::string redrock(const std::string& name, std::vector<int64_t> id, std::vector<double> z, double zwarn = 0.0,
                      double delta_chi2 = 30.0, double primary = 0.0) const {
    const auto rows = static_cast<int64_t>(id.size());
    const auto all = [&](double value) { return std::vector<double>(id.size(), value); };
    FitsWriter(path(name))
        .empty_primary()
        .table("REDSHIFTS", rows,
               {Column{"TARGETID", "K", {}, id}, Column{"Z", "D", z}, Column{"ZWARN", "K", all(zwarn)},
                Column{"DELTACHI2", "D", all(delta_chi2)}, Column{"ZCAT_PRIMARY", "L", all(primary)}});
    return path(name);
  }

  /// A brick of 400 by 400 pixels at 150, 0, whose values are 1 and the column, in all bands.
  void write_brick() const {
    std::vector<double> values;
    for (int i = 0; i < 3 * 400 * 400; ++i) values.push_back(1.0 + i % 400);
    FitsWriter(path("brick.fits"))
        .empty_primary()
        .compress()
        .image("", {3, 400, 400}, values)
        .key("CTYPE1", "RA---TAN")
        .key("CTYPE2", "DEC--TAN")
        .key("CRVAL1", 150.0)
        .key("CRVAL2", 0.0)
        .key("CRPIX1", 200.5)
        .key("CRPIX2", 200.5)
        .key("CDELT1", -0.262 / 3600)
        .key("CDELT2", 0.262 / 3600);
  }

  std::string output_ = path("out.h5");
};

std::vector<double> labels(const data::PairedDataset& dataset, Split split, const std::string& name) {
  std::vector<int64_t> rows(static_cast<size_t>(dataset.size(split)));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  HostBatch batch;
  dataset.read(split, rows, std::vector{name}, batch);
  const HostArray& column = batch.at(name);
  if (column.dtype == DType::i64) {
    const auto values = column.values<int64_t>();
    return {values.begin(), values.end()};
  }
  const auto values = column.values<double>();
  return {values.begin(), values.end()};
}

TEST_F(ImportTest, PairsByPositionAndJoinsRedshifts) {
  // 0.9″ and 1.1″ from fibres 0 and 1.
  const ImportReport report =
      import_files({{redrock("z.fits", {101, 100, 7}, {0.2, 0.1, 0.7}), image("near.fits", 150.0, 2.0 + 0.9 * arcsec),
                     image("far.fits", 151.0, 2.0 + 1.1 * arcsec), coadd("c.fits", 6, 2.0)},
                    output_,
                    {}});
  ASSERT_EQ(report.pairs.size(), 1U);
  EXPECT_EQ(report.pairs[0].object_id, "100");
  EXPECT_NEAR(report.pairs[0].separation, 0.9, 1e-6);
  EXPECT_EQ(report.objects, 7);
  EXPECT_EQ(report.redshifts, 2);
  EXPECT_EQ(report.files[0].taken, 2);
  EXPECT_THAT(report.files[0].notes, ElementsAre("1 redshift is of none of the spectra"));
  const data::PairedDataset dataset(output_);
  // The pair, the lone image and three of five lone spectra; the last fifth of these, and what is left over.
  EXPECT_THAT(labels(dataset, Split::train, "object_id"), ElementsAre(100, 1, 101, 102, 103));
  EXPECT_THAT(labels(dataset, Split::train, "has_image"), ElementsAre(1, 1, 0, 0, 0));
  EXPECT_THAT(labels(dataset, Split::train, "has_spectrum"), ElementsAre(1, 0, 1, 1, 1));
  EXPECT_THAT(labels(dataset, Split::test, "object_id"), ElementsAre(104, 105));
  const auto redshifts = labels(dataset, Split::train, "redshift");
  EXPECT_EQ(redshifts[0], 0.1);
  EXPECT_TRUE(std::isnan(redshifts[1]));
  EXPECT_EQ(redshifts[2], 0.2);
  EXPECT_EQ(labels(dataset, Split::train, "ra")[2], 151.0);
  EXPECT_THAT(data::rows_with(dataset, Split::train, {"image", "spectrum"}), ElementsAre(0));

  HostBatch batch;
  dataset.read(Split::train, std::vector<int64_t>{0, 1, 2},
               std::vector<std::string>{"spectrum", "spectrum_ivar", "image"}, batch);
  const auto flux = batch.at("spectrum").values<float>(), ivar = batch.at("spectrum_ivar").values<float>();
  EXPECT_EQ(flux[0], 1.0F);
  EXPECT_EQ(flux[7780], 1.0F);  // filled
  EXPECT_EQ(ivar[4999], 1.0F);
  EXPECT_EQ(ivar[5000], 0.0F);
  EXPECT_EQ(flux[7781], 0.0F);
  EXPECT_EQ(flux[2 * 7781], 2.0F);
  EXPECT_EQ(batch.at("image").values<float>()[0], 5.0F);
  EXPECT_EQ(batch.at("image").values<float>()[2 * 3 * 152 * 152], 0.0F);
}

TEST_F(ImportTest, NamedPairsGoFirst) {
  const std::string near = image("near.fits", 150.0, 2.0), other = image("other.fits", 10.0, 10.0);
  const std::string file = coadd("c.fits", 2, 2.0);
  const ImportReport report = import_files({{near, other, file}, output_, {{near, file + "#1"}}});
  ASSERT_EQ(report.pairs.size(), 1U);
  EXPECT_EQ(report.pairs[0].object_id, "101");
  EXPECT_EQ(report.objects, 3);
}

TEST_F(ImportTest, SaysWhichPairCannotBeMade) {
  const std::string one = image("near.fits", 150.0, 2.0), file = coadd("c.fits", 2, 2.0);
  const auto import = [&](const std::string& left, const std::string& right) {
    return [=, this] { import_files({{one, file}, output_, {{left, right}}}); };
  };
  EXPECT_THAT(import("none.fits", file), ThrowsMessage<Error>("--pair: no image was taken from 'none.fits'"));
  EXPECT_THAT(import(one, file + "#2"), ThrowsMessage<Error>("--pair: no spectrum was taken from '" + file + "'"));
  EXPECT_THAT(import(one, file),
              ThrowsMessage<Error>("--pair: '" + file + "' holds 2 spectra; name one as '" + file + "#ROW'"));
  EXPECT_FALSE(fs::exists(output_));
}

TEST_F(ImportTest, NumbersAreUnique) {
  const ImportReport report =
      import_files({{image("a.fits", 1.0, 1.0), image("b.fits", 2.0, 2.0), coadd("c.fits", 3, 2.0, 1)}, output_, {}});
  EXPECT_THAT(report.files[0].numbers, ElementsAre(4));
  EXPECT_THAT(report.files[1].numbers, ElementsAre(5));
  EXPECT_TRUE(report.files[2].numbers.empty());
  const data::PairedDataset dataset(output_);
  EXPECT_THAT(labels(dataset, Split::train, "object_id"), ElementsAre(4, 5, 1, 2));
  EXPECT_THAT(labels(dataset, Split::test, "object_id"), ElementsAre(3));
}

TEST_F(ImportTest, ObservationsOfOneObjectAreOneWhateverTheirOrder) {
  // Two images and three spectra of one object: two by their identifier, one by its place; and a neighbour 3″ away.
  std::vector<std::string> files = {
      image("dr9.fits", 150.0, 2.0 + 0.3 * arcsec),  image("dr10.fits", 150.0, 2.0),
      image("next.fits", 150.0, 2.0 + 3.0 * arcsec), coadd("one.fits", 1, 2.0, 100, 4.0),
      coadd("two.fits", 1, 2.0, 100, 9.0),           coadd("sv.fits", 1, 2.0 + 0.5 * arcsec, 7, 1.0)};
  for (const bool reversed : {false, true}) {
    if (reversed) std::ranges::reverse(files);
    fs::remove(output_);
    const ImportReport report = import_files({files, output_, {}});
    EXPECT_EQ(report.objects, 2);
    EXPECT_EQ(report.spectra, 1);
    EXPECT_EQ(report.images, 2);
    ASSERT_EQ(report.pairs.size(), 1U);
    EXPECT_EQ(report.pairs[0].image, path("dr10.fits"));
    EXPECT_EQ(report.pairs[0].spectrum, path("two.fits"));
    EXPECT_EQ(report.pairs[0].object_id, "100");
    const auto refused = [&](const std::string& name) {
      const auto& file = *std::ranges::find(report.files, path(name), &ImportedFile::file);
      EXPECT_EQ(file.taken, 0);
      return file.refused.size() == 1 ? file.refused[0].reason : "";
    };
    // The S/N is flux · √ivar: 1 · 3, and 1 · 2.
    EXPECT_EQ(refused("one.fits"),
              "of this object the spectrum of '" + path("two.fits") + "', row 0, was taken: its S/N is 3, here 2");
    EXPECT_THAT(refused("sv.fits"), testing::EndsWith("its S/N is 3, here 1"));
    EXPECT_EQ(refused("dr9.fits"), "of this object the image of '" + path("dr10.fits") +
                                       "' was taken: its middle is 0.00\" from the spectrum, here 0.30\"");
  }
}

TEST_F(ImportTest, PositionsAreJoinedByStepsWithinTheRadius) {
  const ImportReport report = import_files(
      {{image("a.fits", 10.0, 60.0), image("b.fits", 10.0, 60.0 + 0.8 * arcsec),
        image("c.fits", 10.0, 60.0 + 1.6 * arcsec), image("d.fits", 10.0 + 2.1 * arcsec, 60.0)},  // 1.05″ on the sky
       output_,
       {}});
  EXPECT_EQ(report.objects, 2);
  EXPECT_EQ(report.files[1].refused.at(0).reason,
            "of this object the image of '" + path("a.fits") + "' was taken: the first by name");
}

TEST_F(ImportTest, TheBestOfSeveralRedshiftsIsTaken) {
  const std::string file = coadd("c.fits", 1, 2.0);
  const auto taken = [&](std::vector<std::string> files) {
    std::vector<double> found;
    for (const bool reversed : {false, true}) {
      if (reversed) std::ranges::reverse(files);
      fs::remove(output_);
      import_files({files, output_, {}});
      found.push_back(labels(data::PairedDataset(output_), Split::test, "redshift").at(0));
    }
    EXPECT_EQ(found[0], found[1]);
    return found[0];
  };
  const std::string fine = redrock("main.fits", {100}, {0.1}), warned = redrock("sv1.fits", {100}, {1.65}, 4.0, 900.0);
  EXPECT_EQ(taken({file, fine, warned}), 0.1);
  const std::string sure = redrock("sure.fits", {100}, {0.3}, 0.0, 400.0);
  EXPECT_EQ(taken({sure, file, fine}), 0.3);
  const std::string primary = redrock("primary.fits", {100}, {0.4}, 0.0, 10.0, 1.0);
  EXPECT_EQ(taken({sure, file, primary, fine}), 0.4);
  fs::remove(output_);
  const ImportReport report = import_files({{warned, sure, file, fine}, output_, {}});
  EXPECT_EQ(report.files[0].refused.at(0).reason,
            "of this object the redshift 0.3 of '" + sure + "' was taken, not 1.65: ZWARN 0, here 4");
  EXPECT_EQ(report.files[3].refused.at(0).reason,
            "of this object the redshift 0.3 of '" + sure + "' was taken, not 0.1: DELTACHI2 400, here 30");
  EXPECT_EQ(report.files[0].taken, 0);
}

TEST_F(ImportTest, AFileIsTakenOnce) {
  const std::string file = image("a.fits", 1.0, 1.0), copy = path("copy.fits");
  fs::copy_file(file, copy, fs::copy_options::overwrite_existing);
  const ImportReport report = import_files({{file, file, image("b.fits", 2.0, 2.0), copy}, output_, {}});
  EXPECT_EQ(report.objects, 2);
  EXPECT_EQ(report.files[1].refused.at(0).reason, "is the same file as '" + file + "'");
  EXPECT_EQ(report.files[3].refused.at(0).reason, "is the same file as '" + file + "'");
}

TEST_F(ImportTest, KeepsIdentifiersAndSaysWhenANumberStandsForOne) {
  const auto coadd_of = [&](const std::string& name, double dec, Column id) {
    std::vector<double> wavelength;
    for (int i = 0; i < 5000; ++i) wavelength.push_back(3600.0 + 0.8 * i);
    FitsWriter(path(name))
        .empty_primary()
        .image("B_WAVELENGTH", {5000}, wavelength, -64)
        .image("B_FLUX", {1, 5000}, std::vector<double>(5000, 1.0))
        .image("B_IVAR", {1, 5000}, std::vector<double>(5000, 1.0))
        .table("FIBERMAP", 1, {std::move(id), Column{"TARGET_RA", "D", {150.0}}, Column{"TARGET_DEC", "D", {dec}}});
    return path(name);
  };
  const ImportReport report =
      import_files({{coadd_of("big.fits", 1.0, Column{"TARGETID", "W", {}, {}, {}, {14127161586843054080U}}),
                     coadd_of("five.fits", 2.0, Column{"TARGETID", "K", {}, {5}}),
                     coadd_of("other_five.fits", 3.0, Column{"SPECOBJID", "K", {}, {5}})},
                    output_,
                    {}});
  EXPECT_EQ(report.objects, 3);
  EXPECT_TRUE(report.files[0].notes.empty() && report.files[1].notes.empty());
  EXPECT_THAT(report.files[2].notes,
              ElementsAre("SPECOBJID 5 is also another object's identifier, so a number stands for it"));
  EXPECT_THAT(report.files[2].numbers, ElementsAre(1));
  const data::PairedFile unsigned_ids = data::PairedFile::open(output_);
  EXPECT_EQ(unsigned_ids.id_kind(), IdKind::uint64);
  EXPECT_THAT(unsigned_ids.read_ids(true, std::vector<int64_t>{0, 1}).keys,
              ElementsAre(std::bit_cast<int64_t>(14127161586843054080U), 5));

  fs::remove(output_);
  import_files({{coadd_of("text.fits", 1.0, Column{"CATALOGID", "8A", {}, {}, {"u-17"}}),
                 coadd_of("five.fits", 2.0, Column{"TARGETID", "K", {}, {5}})},
                output_,
                {}});
  EXPECT_THAT(data::PairedFile::open(output_).read_ids(true, std::vector<int64_t>{0}).texts, ElementsAre("u-17"));
  EXPECT_THAT(data::PairedFile::open(output_).read_ids(false, std::vector<int64_t>{0}).texts, ElementsAre("5"));
}

TEST_F(ImportTest, WritesTheBandsAskedFor) {
  ImportRequest request{
      {image("griz.fits", 1.0, 1.0, 4), image("grz.fits", 2.0, 2.0), image("two.fits", 3.0, 3.0, 4)}, output_, {}};
  request.images.bands = {"g", "r", "i", "z"};
  request.images.values = PixelValues::brightness;
  const ImportReport report = import_files(request);
  EXPECT_EQ(report.images, 2);
  ASSERT_EQ(report.files[1].refused.size(), 1U);
  EXPECT_EQ(report.files[1].refused[0].reason,
            "HDU 'PRIMARY': no word names the bands of its 3 planes (BANDS, BAND0 …), and 4 are wanted: g, r, i, z");
  const data::PairedDataset dataset(output_);
  EXPECT_EQ(data::field_of(dataset, "image").shape, (Shape{4, 152, 152}));
  const auto file = io::Hdf5File::open(output_);
  EXPECT_EQ(file.attribute("bands"), "griz");
  EXPECT_EQ(file.attribute("image_values"), "brightness");
  EXPECT_EQ(*dataset.preprocessing().find("image")->get_if<config::Table>()->find("bands")->get_if<std::string>(),
            "griz");
}

/// Three bands that are not g, r, z have not the published stretch, so that no model of g, r, z takes them.
TEST_F(ImportTest, SaysWhichThreeBandsItsImagesHave) {
  for (const auto& [bands, has_stretch] :
       {std::pair(std::vector<std::string>{"g", "r", "z"}, true), {{"g", "r", "i"}, false}}) {
    fs::remove(output_);
    ImportRequest request{{image("three.fits", 1.0, 1.0)}, output_, {}};
    request.images.bands = bands;
    import_files(request);
    const config::Table all = data::PairedDataset(output_).preprocessing();
    const auto* table = all.find("image")->get_if<config::Table>();
    EXPECT_EQ(table->find("to_rgb_scales") != nullptr, has_stretch);
    EXPECT_EQ(*table->find("bands")->get_if<std::string>(), has_stretch ? "grz" : "gri");
  }
}

TEST_F(ImportTest, CutsStampsAtTheRowsOfACatalogue) {
  // The first place is 100 pixels to the west of the brick's centre, the second off the brick.
  write_brick();
  const double west = 150.0 - 26.2 / 3600;
  io::write_text(path("places.csv"),
                 fmt::format("RA,Dec,TargetID\n{:.9f},0.0,39627784728870919\n10,10,2\n,,3\n", west));
  ImportRequest request{{path("brick.fits"), image("whole.fits", 10.0, -10.0)}, output_, {}};
  request.at = path("places.csv");
  const ImportReport report = import_files(request);
  EXPECT_EQ(report.images, 1);
  EXPECT_EQ(report.files[0].taken, 1);
  EXPECT_EQ(report.files[1].taken, 0);
  ASSERT_EQ(report.files[2].refused.size(), 2U);
  EXPECT_EQ(report.files[2].refused[0].row, 1);
  EXPECT_EQ(report.files[2].refused[0].reason, "lies on none of the images");
  EXPECT_EQ(report.files[2].refused[1].reason, "its position is not on the sky");
  const data::PairedDataset dataset(output_);
  EXPECT_NEAR(labels(dataset, Split::test, "ra").at(0), west, 1e-8);
  HostBatch batch;
  dataset.read(Split::test, std::vector<int64_t>{0}, std::vector<std::string>{"image", "object_id"}, batch);
  EXPECT_EQ(batch.at("object_id").values<int64_t>()[0], 39627784728870919);
  EXPECT_EQ(batch.at("image").values<float>()[0], 1.0F + 124.0F + 100.0F);
  EXPECT_EQ(batch.at("image").values<float>()[151], 1.0F + 124.0F + 251.0F);
}

/// Rows of a catalogue are the objects that the user means, however near; an observation is of the nearest, or of the
/// one whose identifier it has.
TEST_F(ImportTest, PlacesOfDifferentIdentifiersAreDifferentObjects) {
  write_brick();
  io::write_text(path("near_places.csv"),
                 fmt::format("ra,dec,TARGETID\n150.0,0.0,7\n150.0,{:.9f},8\n", 0.786 * arcsec));
  for (const int64_t id : {900, 8}) {
    fs::remove(output_);
    ImportRequest request{{path("brick.fits"), coadd("near.fits", 1, 0.1 * arcsec, id)}, output_, {}};
    request.at = path("near_places.csv");
    const ImportReport report = import_files(request);
    EXPECT_EQ(report.objects, 2);
    ASSERT_EQ(report.pairs.size(), 1U);
    EXPECT_NEAR(report.pairs[0].separation, id == 8 ? 0.686 : 0.1, 1e-6);
  }
}

/// DESI's arms in files of their own are one spectrum.
TEST_F(ImportTest, JoinsArmsOfSeveralFiles) {
  const auto write_arm = [&](const std::string& arm, int64_t first, int64_t pixels, double flux) {
    std::vector<double> wavelength;
    for (int64_t i = first; i < first + pixels; ++i) wavelength.push_back(3600.0 + 0.8 * static_cast<double>(i));
    const auto count = static_cast<size_t>(pixels);
    FitsWriter(path(arm + ".fits"))
        .empty_primary()
        .image(arm + "_WAVELENGTH", {pixels}, wavelength, -64)
        .image(arm + "_FLUX", {1, pixels}, std::vector<double>(count, flux))
        .image(arm + "_IVAR", {1, pixels}, std::vector<double>(count, 1.0))
        .table(
            "FIBERMAP", 1,
            {Column{"TARGETID", "K", {}, {77}}, Column{"TARGET_RA", "D", {150.0}}, Column{"TARGET_DEC", "D", {2.0}}});
    return path(arm + ".fits");
  };
  const std::string b = write_arm("B", 0, 2751, 1.0), r = write_arm("R", 2700, 2326, 4.0);
  const ImportReport both = import_files({{b, r}, output_, {}});
  EXPECT_EQ(both.spectra, 1);
  EXPECT_THAT(both.files[0].notes, testing::Contains("1 spectrum was joined with the other arms in " + r));
  EXPECT_THAT(both.files[1].notes, testing::Contains("joined with " + b));
  HostBatch batch;
  data::PairedDataset(output_).read(Split::test, std::vector<int64_t>{0}, std::vector<std::string>{"spectrum"}, batch);
  const auto flux = batch.at("spectrum").values<float>();
  EXPECT_EQ(flux[2699], 1.0F);
  EXPECT_EQ(flux[2700], 2.5F);
  EXPECT_EQ(flux[5025], 4.0F);
  const ImportReport alone = import_files({{b}, path("alone.h5"), {}});
  EXPECT_EQ(alone.spectra, 0);
  EXPECT_EQ(alone.files[0].refused.at(0).reason, "2751 of 7781 pixels were measured, 3890 are needed");
}

TEST_F(ImportTest, KeepsColumnsOfTextOfATableOfLabels) {
  io::write_text(path("labels.csv"), "TARGETID,mass,kind\n100,10.5,spiral\n101,11.5,éllipse\n");
  ImportRequest request{{coadd("c.fits", 2, 2.0)}, output_, {}};
  FitsWriter(path("notes.fits"))
      .empty_primary()
      .table("", 2, {Column{"TARGETID", "K", {}, {100, 101}}, Column{"note", "8A", {}, {}, {"", ""}}});
  request.labels = {path("labels.csv"), path("notes.fits")};
  (void)import_files(request);
  const std::vector<int64_t> rows = {0, 1};
  EXPECT_THAT(io::Hdf5File::open(output_).read_texts("0/labels/note", rows), ElementsAre("", ""));
  EXPECT_THAT(io::Hdf5File::open(output_).read_texts("0/labels/kind", rows), ElementsAre("spiral", "éllipse"));
  const data::PairedDataset dataset(output_);
  EXPECT_THAT(dataset.text_labels(), ElementsAre("kind", "note"));
  EXPECT_THAT(dataset.texts(Split::test, std::vector<int64_t>{0}, "kind"), ElementsAre("éllipse"));
  EXPECT_TRUE(dataset.notes().empty());
}

TEST_F(ImportTest, WritesNothingWhenThereIsNothing) {
  const ImportReport report = import_files({{redrock("z.fits", {1}, {0.5}), "/none.fits"}, output_, {}});
  EXPECT_EQ(report.objects, 0);
  EXPECT_EQ(report.files[1].refused.at(0).reason, "cannot open: No such file or directory");
  EXPECT_FALSE(fs::exists(output_));
}

TEST_F(ImportTest, RealObservations) {
  if (real_file("spectra/sdss_spec-0266-51602-0001.fits").empty()) GTEST_SKIP() << "no real observations";
  ImportRequest request{{}, output_, {}};
  for (const char* name :
       {"images/gzdecals_example_a.fits", "images/gzdecals_example_c.fits", "images/gzdecals_example_bad_pix.fits",
        "images/gzdecals_example_incomplete.fits", "spectra/desi_coadd-4-80613-thru20210324.fits",
        "spectra/desi_redrock-4-80613-thru20210324.fits", "spectra/desi_stack-LRG.fits",
        "spectra/desi_everest_coadd-0-80605_25fibers.fits", "spectra/sdss_spec-0266-51602-0001.fits"}) {
    request.files.push_back(real_file(name));
  }
  const ImportReport report = import_files(request);
  EXPECT_EQ(report.objects, 28);  // 27 spectra, of which one has an image, and another image
  EXPECT_EQ(report.redshifts, 3);
  ASSERT_EQ(report.pairs.size(), 1U);
  EXPECT_LT(report.pairs[0].separation, 0.2);
  const data::PairedDataset dataset(output_);
  EXPECT_EQ(dataset.size(Split::train), 22);
  EXPECT_EQ(data::rows_with(dataset, Split::test, {"spectrum"}).size(), 6U);
  EXPECT_NEAR(labels(dataset, Split::train, "redshift")[0], 0.021275, 1e-6);
}

}  // namespace
}  // namespace astroclip::fits
