// The dataset plugins as an experiment gets them: through the host, from a table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "config/toml.h"
#include "io/hdf5/hdf5.h"
#include "plugin/host.h"
#include "support/scratch.h"

namespace astroclip {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class DatasetPlugin : public testing::Test {
 protected:
  DatasetPlugin() : folder_(testing_support::scratch("datasets")) {}
  ~DatasetPlugin() override { std::filesystem::remove_all(folder_); }

  static std::shared_ptr<Dataset> make(const std::string& plugin, const std::string& toml) {
    return plugin::Host::instance().make<Dataset>(plugin, config::parse_text(toml, "a.toml"), "dataset");
  }
  std::string in_folder(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) found.push_back(entry.path());
    return found;
  }

  std::filesystem::path folder_;
};

std::vector<double> redshifts_of(const Dataset& dataset, Split split) {
  std::vector<int64_t> rows(static_cast<size_t>(dataset.size(split)));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  HostBatch batch;
  const std::vector<std::string> names = {"redshift"};
  dataset.read(split, rows, names, batch);
  const auto values = batch.at("redshift").values<double>();
  return {values.begin(), values.end()};
}

TEST_F(DatasetPlugin, ASurveyIsWrittenOnceForEachSetOfParameters) {
  const std::string cache = "cache = '" + folder_.string() + "'\ngalaxies = 10\n";
  const auto first = make("simulated_survey", cache);
  EXPECT_EQ(first->size(Split::train), 8);
  EXPECT_EQ(first->size(Split::test), 2);
  ASSERT_EQ(files().size(), 1U);
  const auto time = std::filesystem::last_write_time(files()[0]);
  const auto again = make("simulated_survey", cache);
  ASSERT_EQ(files().size(), 1U);
  EXPECT_EQ(std::filesystem::last_write_time(files()[0]), time);
  EXPECT_EQ(redshifts_of(*first, Split::train), redshifts_of(*again, Split::train));
  const auto other = make("simulated_survey", cache + "seed = 2");
  EXPECT_EQ(files().size(), 2U);
  EXPECT_NE(redshifts_of(*first, Split::train), redshifts_of(*other, Split::train));
}

TEST_F(DatasetPlugin, AWrittenSurveyReadsAsThePublishedFileDoes) {
  const std::string path = in_folder("survey.h5");
  const auto survey = make("simulated_survey", "file = '" + path + "'\ngalaxies = 10\nivar = true");
  const auto published = make("astroclip_hdf5", "path = '" + path + "'");
  EXPECT_EQ(redshifts_of(*published, Split::test), redshifts_of(*survey, Split::test));
  EXPECT_THAT(published->fields(), testing::Contains(testing::Field(&Field::name, "spectrum_ivar")));
  // Also who reads it as any other file learns that nothing in it was observed.
  for (const auto& dataset : {survey, published}) {
    EXPECT_THAT(dataset->notes(),
                testing::ElementsAre("simulated, not observed: simulated_survey 6: galaxies=10 seed=1 "
                                     "bands=grz image_noise=1 spectrum_noise=1 ivar=true"));
  }
}

TEST_F(DatasetPlugin, ASimulatedLabelHasItsUnit) {
  const auto survey = make("simulated_survey", "cache = '" + folder_.string() + "'\ngalaxies = 10\n");
  using testing::Field;
  using F = astroclip::Field;
  EXPECT_THAT(survey->fields(),
              testing::Contains(testing::AllOf(Field(&F::name, "log_mass"), Field(&F::unit, "log10 M☉"),
                                               Field(&F::meaning, "stellar mass, of what has survived"))));
}

TEST_F(DatasetPlugin, AnotherFileIsNotTakenForTheSurvey) {
  const std::string path = in_folder("survey.h5");
  make("simulated_survey", "galaxies = 10\nfile = '" + path + "'");
  EXPECT_THAT([&] { make("simulated_survey", "galaxies = 11\nfile = '" + path + "'"); },
              ThrowsMessage<Error>(HasSubstr(path + ": expected the survey 'simulated_survey 6: galaxies=11")));
  const auto written = [&](const std::string& name, const std::string& recipe) {
    io::OutputFile output(in_folder(name), io::OutputFile::Mode::create);
    io::Hdf5File file = io::Hdf5File::create(output);
    if (!recipe.empty()) file.write_attribute("recipe", recipe);
    file.close();
    return in_folder(name);
  };
  const std::string foreign = written("foreign.h5", "");
  EXPECT_THAT([&] { make("simulated_survey", "file = '" + foreign + "'"); },
              ThrowsMessage<Error>(HasSubstr("found a file that simulated_survey did not write")));
  const std::string parameters = ": galaxies=10 seed=1 bands=grz image_noise=1 spectrum_noise=1 ivar=false";
  const std::string earlier = written("earlier.h5", "simulated_survey 5" + parameters);
  EXPECT_THAT([&] { make("simulated_survey", "galaxies = 10\nfile = '" + earlier + "'"); },
              ThrowsMessage<Error>(HasSubstr("expected the survey 'simulated_survey 6" + parameters +
                                             "', found 'simulated_survey 5" + parameters + "'")));
}

TEST_F(DatasetPlugin, OldKeysAreRefusedWithTheNewOnes) {
  EXPECT_THAT(
      [] { make("astroclip_hdf5", "path = 'a.h5'\nspectrum_noise = 0.3"); },
      ThrowsMessage<Error>(HasSubstr("'spectrum_noise' is now called 'dataset.views.spectrum.relative_noise.level'")));
  EXPECT_THAT([] { make("simulated_survey", "spectrum_noise = 0.3"); },
              ThrowsMessage<Error>(HasSubstr("'spectrum_noise' is now called 'simulated_noise.spectrum'")));
}

TEST_F(DatasetPlugin, AMissingFileIsNamed) {
  EXPECT_THAT([] { make("astroclip_hdf5", "path = '/nowhere/a.h5'"); },
              ThrowsMessage<Error>(HasSubstr("/nowhere/a.h5: cannot read: No such file or directory")));
}

}  // namespace
}  // namespace astroclip
