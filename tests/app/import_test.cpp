#include <gmock/gmock.h>

#include <filesystem>

#include "io/output/durable_file.h"
#include "support/fits_files.h"
#include "support/program.h"

namespace astroclip {
namespace {

using testing_support::run_program;
using testing_support::scratch;

TEST(Import, WithNothingToTakeItFailsAndSaysWhy) {
  const std::string text = scratch("notes.fits"), output = scratch("import.h5");
  io::write_text(text, "notes");
  const auto outcome = run_program("import '" + text + "' --output '" + output + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.out, "kind              taken  refused  file\nunknown               0        1  " + text +
                             "\n                 refused: is not a FITS file\n");
  EXPECT_EQ(outcome.err, "astroclip: error: nothing was imported; " + output + " is not written\n");
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST(Import, LeavesWhatIsThere) {
  const std::string output = scratch("there.h5");
  io::write_text(output, "mine");
  const auto outcome = run_program("import a.fits --output '" + output + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + output + ": already exists\n");
  EXPECT_EQ(io::read_text(output), "mine");
}

TEST(Import, ChecksItsArguments) {
  EXPECT_EQ(run_program("import --output x.h5").err,
            "astroclip: error: missing argument: FILE\nsee: astroclip import --help\n");
  EXPECT_EQ(run_program("import a.fits").err,
            "astroclip: error: missing argument: --output\nsee: astroclip import --help\n");
  const auto outcome = run_program("import a.fits --output x.h5 --pair a.fits");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err,
            "astroclip: error: --pair must be IMAGE=SPECTRUM, found 'a.fits'\nsee: astroclip import --help\n");
}

/// An image and a spectrum far from each other.
void write_pair(const std::string& image, const std::string& spectrum) {
  std::filesystem::create_directories(std::filesystem::path(image).parent_path());
  std::vector<double> values(3UL * 152 * 152), loglam, flux;
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1.0 + static_cast<double>(i % 7);
  testing_support::FitsWriter(image)
      .image("", {3, 152, 152}, values)
      .key("CTYPE1", "RA---TAN")
      .key("CTYPE2", "DEC--TAN")
      .key("CRVAL1", 150.0)
      .key("CRVAL2", 2.0)
      .key("CRPIX1", 76.5)
      .key("CRPIX2", 76.5)
      .key("CDELT1", -0.262 / 3600)
      .key("CDELT2", 0.262 / 3600);
  for (int i = 0; i < 3900; ++i) loglam.push_back(3.58 + 1e-4 * i);
  flux.assign(loglam.size(), 1.0);
  testing_support::FitsWriter(spectrum).empty_primary().table(
      "COADD", 3900, {{"loglam", "D", loglam}, {"flux", "E", flux}, {"ivar", "E", flux}});
}

TEST(Import, PairsPathsThatHoldEqualsSignsAndOtherSpellings) {
  const std::string folder = scratch("healpix=583"), output = scratch("pairs.h5");
  write_pair(folder + "/im=1.fits", folder + "/spec.fits");
  for (const std::string& pair : {folder + "/im=1.fits=" + folder + "/spec.fits",
                                  folder + "/./im=1.fits=" + folder + "/../healpix=583/spec.fits#0"}) {
    std::filesystem::remove(output);
    const auto outcome = run_program("import '" + folder + "/im=1.fits' '" + folder + "/spec.fits' --output '" +
                                     output + "' --pair '" + pair + "'");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, testing::HasSubstr("1 objects, 1 with an image, 1 with a spectrum, 1 with both"));
  }
}

TEST(Import, TakesPathsOfAnyLettersAndThroughLinks) {
  const std::string folder = scratch("ünï [1] 银"), link = scratch("link.fits"), output = folder + "/öut.h5";
  write_pair(folder + "/im*.fits", folder + "/spec?.fits");
  std::filesystem::remove(link);
  std::filesystem::create_symlink(folder + "/im*.fits", link);
  std::filesystem::remove(output);
  const auto outcome = run_program("import '" + link + "' '" + folder + "/spec?.fits' --output '" + output + "'");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::HasSubstr("2 objects, 1 with an image, 1 with a spectrum"));
  EXPECT_TRUE(std::filesystem::exists(output));
}

TEST(Import, TellsWhatIsWrongWithItsBands) {
  EXPECT_EQ(
      run_program("import a.fits --output x.h5 --bands gg").err,
      "astroclip: error: --bands must name different bands, as griz or VIS,Y,J,H, found 'gg'\nsee: astroclip import "
      "--help\n");
}

}  // namespace
}  // namespace astroclip
