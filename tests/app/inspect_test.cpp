// What `inspect` tells of each kind of file.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "io/output/durable_file.h"
#include "support/fits_files.h"
#include "support/fixtures.h"
#include "support/program.h"

namespace astroclip {
namespace {

using testing::HasSubstr;
using testing_support::FitsWriter;
using testing_support::run_program;
using testing_support::scratch;

std::string told(const std::string& path) {
  const auto outcome = run_program("inspect '" + path + "'");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::StartsWith(path + "\n"));
  return outcome.out.substr(path.size() + 1);
}

TEST(Inspect, FitsFilesAreListedWithWhatImportTakesOfThem) {
  const std::string path = scratch("redshifts.fits");
  FitsWriter(path).empty_primary().table("REDSHIFTS", 2,
                                         {{"TARGETID", "K", {}, {39633300968442591, 39633300968442592}},
                                          {"Z", "D", {0.1, 0.2}},
                                          {"ZWARN", "K", {}, {0, 4}}});
  EXPECT_EQ(told(path),
            "FITS: 2 HDUs\n\n"
            "  PRIMARY    no data\n"
            "  REDSHIFTS  table, 2 rows  TARGETID, Z, ZWARN\n\n"
            "import: takes 2 redshifts (redshifts)\n"
            "labels from REDSHIFTS: FITS table, 2 rows: TARGETID, Z, ZWARN\n");
  FitsWriter(path).image("", {152, 152}, std::vector<double>(152 * 152, 1.0));
  EXPECT_THAT(told(path), HasSubstr("  PRIMARY  image [152, 152]\n\nimport: takes nothing (image)\n  refuses it: "));
}

TEST(Inspect, Hdf5FilesAreListedWithWhatEmbedTakesOfThem) {
  const std::string path = scratch("simulated.h5");
  std::filesystem::remove(path);
  ASSERT_EQ(run_program("simulate '" + path + "' --galaxies 10").status, 0);
  const std::string text = told(path);
  EXPECT_THAT(text, testing::StartsWith("HDF5: "));
  EXPECT_THAT(text, HasSubstr("/images "));
  EXPECT_THAT(text, HasSubstr("\nembed: takes 10 objects: image [3, 152, 152], spectrum [7781], "));
}

TEST(Inspect, ATableIsListedByItsColumns) {
  const std::string path = scratch("catalogue.csv");
  io::write_text(path, "id,ra,z\n1,180.0,0.1\n2,181.0,0.2\n");
  EXPECT_EQ(told(path), "labels: CSV, 2 rows: id, ra, z\n");
  io::write_text(path, "id,ra,z\n1,180.0\n");
  EXPECT_THAT(told(path), testing::StartsWith("labels: refuses it: line 2: "));
}

TEST(Inspect, ExperimentFilesAndArchitecturesAreSummarised) {
  const std::string path = scratch("architecture.toml");
  io::write_text(path, "[encoders.spectrum]\nplugin = \"specformer\"\ndim = 48\ndepth = 2\nheads = 3\n");
  EXPECT_EQ(told(path), "experiment file: an architecture for convert and embed: spectrum (specformer)\n");
  EXPECT_THAT(
      told(SOURCE_ROOT "/experiments/smoke.toml"),
      testing::StartsWith("experiment file: the experiment smoke: dataset simulated_survey; encoders image (vit), "));
  EXPECT_THAT(told(SOURCE_ROOT "/experiments/losses.toml"), testing::StartsWith("experiment file: a sweep of "));
}

TEST(Inspect, WeightsAreListedWithWhatConvertOrEmbedTakes) {
  EXPECT_THAT(
      told(testing_support::fixture("astrodino.ckpt")),
      HasSubstr("\nconvert: no preset matches; with --architecture it takes the encoders of that file, without it "
                "copies those of 'teacher.'\n"));
}

TEST(Inspect, AFolderIsCountedByKinds) {
  const std::string folder = scratch("folder_of_files");
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder + "/below");
  io::write_text(folder + "/below/a.csv", "id\n1\n");
  io::write_text(folder + "/b.toml", "");
  io::write_text(folder + "/c.bin", std::string("\1\2\3", 3));
  EXPECT_THAT(told(folder),
              testing::StartsWith("folder\n\n  experiment files  1\n  other files       1\n  tables            1\n"));
}

TEST(Inspect, OtherFilesAreCalledWhatTheyAre) {
  const std::string path = scratch("other.pkl");
  io::write_text(path, "\x80\x04\x95\x10\x01 and more");
  const auto outcome = run_program("inspect '" + path + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + path +
                             ": is no file that astroclip reads, but a Python pickle; load it in Python and save its "
                             "tensors with safetensors.torch.save_file or torch.save\n");
}

}  // namespace
}  // namespace astroclip
