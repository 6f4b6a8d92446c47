// Files given where another kind of file is expected: one sentence says what the file is and which option takes it.
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

constexpr const char* use_of_tables =
    "; `astroclip import` takes it by --labels, to join its columns to objects, and by --at, to cut images out at its "
    "positions";
constexpr const char* use_of_fits = "a FITS file; `astroclip import` makes objects of its images and spectra\n";
constexpr const char* use_of_hdf5 =
    "an HDF5 file; its objects go into `astroclip embed` by --input as they are, its tables into `astroclip import` by "
    "--labels or --at\n";
constexpr const char* use_of_weights = "a file of weights; `astroclip embed` takes a model's by --model\n";
constexpr const char* use_of_experiments = "an experiment file; `astroclip run` takes it, and `embed` by --dataset\n";

class WrongFile : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    io::write_text(csv(), "TARGETID,ra,dec,mass\n7,150.0,2.0,10.5\n");
    FitsWriter(catalogue())
        .empty_primary()
        .table("CAT", 1, {{"ra", "D", {150.0}}, {"dec", "D", {2.0}}, {"mass", "D", {10.5}}});
    FitsWriter(image()).image("", {152, 152}, std::vector<double>(152 * 152, 1.0));
    std::filesystem::remove(objects());
    ASSERT_EQ(run_program("simulate '" + objects() + "' --galaxies 10").status, 0);
  }
  static std::string csv() { return scratch("wrong.csv"); }
  static std::string catalogue() { return scratch("wrong_catalogue.fits"); }
  static std::string image() { return scratch("wrong_image.fits"); }
  static std::string objects() { return scratch("wrong_objects.h5"); }
  static std::string weights() { return testing_support::fixture("clip_loss.safetensors"); }
  static std::string experiment() { return SOURCE_ROOT "/experiments/smoke.toml"; }
  static std::string checkpoint() { return testing_support::fixture("astrodino.ckpt"); }

  /// What an import of the file refuses it with.
  static std::string refusal(const std::string& file) {
    const std::string output = scratch("wrong_out.h5");
    const auto outcome = run_program("import '" + file + "' --output '" + output + "'");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_FALSE(std::filesystem::exists(output));
    const std::string mark = "refused: ";
    const size_t at = outcome.out.rfind(mark);
    return at == std::string::npos ? outcome.out : outcome.out.substr(at + mark.size());
  }
  static std::string error(const std::string& command) {
    const auto outcome = run_program(command);
    EXPECT_NE(outcome.status, 0) << command;
    return outcome.err;
  }
};

TEST_F(WrongFile, AsDataOfAnImport) {
  EXPECT_EQ(refusal(csv()),
            std::string("is not a FITS file but a table (CSV: TARGETID, ra, dec, mass)") + use_of_tables + "\n");
  EXPECT_EQ(refusal(catalogue()),
            std::string("holds neither spectra nor redshifts of objects with identifiers, but 'CAT', a table (FITS "
                        "table: ra, dec, mass)") +
                use_of_tables + "\n");
  EXPECT_EQ(refusal(objects()), std::string("is not a FITS file but ") + use_of_hdf5);
  EXPECT_EQ(refusal(weights()), std::string("is not a FITS file but ") + use_of_weights);
  EXPECT_EQ(refusal(checkpoint()), std::string("is not a FITS file but ") + use_of_weights);
  EXPECT_EQ(refusal(experiment()), std::string("is not a FITS file but ") + use_of_experiments);
}

TEST_F(WrongFile, AsATable) {
  for (const char* option : {"--at", "--labels"}) {
    const auto said = [&](const std::string& file) {
      return error("import '" + image() + "' --output '" + scratch("wrong_out.h5") + "' " + option + " '" + file + "'");
    };
    EXPECT_EQ(said(image()), "astroclip: error: " + image() +
                                 ": holds images and no table; `astroclip import` takes it as one of its FILEs\n");
    EXPECT_EQ(said(weights()), "astroclip: error: " + weights() + ": is no table but " + use_of_weights);
    EXPECT_EQ(said(experiment()), "astroclip: error: " + experiment() + ": is no table but " + use_of_experiments);
  }
}

TEST_F(WrongFile, AsInputOfAnEmbedding) {
  const auto said = [&](const std::string& file) {
    return error("embed --model '" + weights() + "' --input '" + file + "' --output '" + scratch("wrong_out.h5") + "'");
  };
  EXPECT_THAT(said(csv()), HasSubstr("wrong.csv: is not an HDF5 file: it is a table (CSV: TARGETID, ra, dec, mass); "));
}

TEST_F(WrongFile, AsAModel) {
  const auto said = [&](const std::string& file) {
    return error("embed --model '" + file + "' --input '" + objects() + "' --output '" + scratch("wrong_out.h5") + "'");
  };
  const std::string begin = ": is not a file of weights but ";
  EXPECT_EQ(said(objects()), "astroclip: error: " + objects() + begin + use_of_hdf5);
  EXPECT_EQ(said(image()), "astroclip: error: " + image() + begin + use_of_fits);
  EXPECT_EQ(said(experiment()), "astroclip: error: " + experiment() + begin + use_of_experiments);
  EXPECT_THAT(said(csv()), HasSubstr(begin + "a table (CSV: "));
}

TEST_F(WrongFile, AsAnExperiment) {
  for (const char* verb : {"run", "check"}) {
    const auto said = [&](const std::string& file) { return error(std::string(verb) + " '" + file + "'"); };
    const std::string begin = ": is not an experiment file but ";
    EXPECT_EQ(said(objects()), "astroclip: error: " + objects() + begin + use_of_hdf5);
    EXPECT_EQ(said(image()), "astroclip: error: " + image() + begin + use_of_fits);
    EXPECT_EQ(said(weights()), "astroclip: error: " + weights() + begin + use_of_weights);
    EXPECT_THAT(said(csv()), HasSubstr(begin + "a table (CSV: "));
  }
}

TEST_F(WrongFile, AsADataset) {
  EXPECT_EQ(error("embed --model '" + weights() + "' --dataset '" + objects() + "' --output '" +
                  scratch("wrong_out.h5") + "'"),
            "astroclip: error: " + objects() +
                ": --dataset takes a plugin or a file FILE.toml; objects in files go by --input\n");
}

}  // namespace
}  // namespace astroclip
