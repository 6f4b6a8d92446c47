#include <gmock/gmock.h>

#include "io/output/durable_file.h"
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

}  // namespace
}  // namespace astroclip
