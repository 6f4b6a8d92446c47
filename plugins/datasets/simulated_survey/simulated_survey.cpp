// Simulated galaxies, each with an image and a spectrum of the same stars: made when first asked for, kept as a file
// of the published layout and read like one.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "data/paired_dataset.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "io/output/output_file.h"
#include "plugin/record.h"
#include "survey.h"

namespace astroclip {
namespace {

std::filesystem::path default_cache() {
  if (const char* folder = std::getenv("XDG_CACHE_HOME"); folder != nullptr && *folder != '\0') {
    return std::filesystem::path(folder) / "astroclip";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::filesystem::path(home) / ".cache" / "astroclip";
  }
  return std::filesystem::temp_directory_path() / "astroclip";
}

std::filesystem::path survey_path(const simulation::Parameters& parameters) {
  if (!parameters.file.empty()) return parameters.file;
  const std::filesystem::path folder =
      parameters.cache.empty() ? default_cache() : std::filesystem::path(parameters.cache);
  return folder / fmt::format("simulated-survey-{:016x}.h5", stable_hash(simulation::recipe(parameters)));
}

std::string recipe_in(const std::string& path) {
  try {
    return io::Hdf5File::open(path).attribute("recipe");
  } catch (const Error& error) {
    throw Error(fmt::format("{}; remove the file to have it simulated anew", error.what()));
  }
}

/// Simulates the survey into a file unless it is there. Of several processes that need the same file, one simulates it
/// and the others wait.
void simulate_once(const simulation::Parameters& parameters, const std::string& path) {
  using namespace std::chrono_literals;
  // Named like the temporary files of its writer, which removes what a killed process has left.
  const std::string lock_path = path + ".partial-lock";
  io::OutputFile lock(lock_path, io::OutputFile::Mode::append, path);
  if (!lock.try_lock()) {
    fmt::print(stderr, "waiting for another process that simulates {}\n", path);
    while (!lock.try_lock()) std::this_thread::sleep_for(50ms);
  }
  if (!std::filesystem::exists(path)) {
    // A minute for ten thousand galaxies, before anything else is to be seen.
    fmt::print(stderr, "simulating {} galaxies into {}\n", parameters.galaxies, path);
    simulation::write_survey(parameters, path);
  }
  // Only now: a process that gets the lock of a removed file finds the survey.
  std::error_code ignored;
  std::filesystem::remove(lock_path, ignored);
}

/// The survey's file, written unless it is there. Throws Error when the file holds something else.
std::string survey_file(const simulation::Parameters& parameters) {
  const std::filesystem::path path = survey_path(parameters);
  if (path.has_parent_path()) io::make_folder(path.parent_path().string());
  if (!std::filesystem::exists(path)) simulate_once(parameters, path.string());
  const std::string expected = simulation::recipe(parameters);
  const std::string found = recipe_in(path.string());
  if (found != expected) {
    throw Error(fmt::format("{}: expected the survey '{}', found {}", path.string(), expected,
                            found.empty() ? "a file that simulated_survey did not write" : "'" + found + "'"));
  }
  return path.string();
}

class SimulatedSurvey final : public data::PairedDataset {
 public:
  using Parameters = simulation::Parameters;

  static const config::Schema<Parameters>& schema() {
    using simulation::Noise;
    static const auto noise =
        config::Schema<Noise>("Factors on the simulated noise.")
            .field("image", &Noise::image, "sky noise of images and magnitudes", config::between(0.0, 100.0))
            .field("spectrum", &Noise::spectrum, "noise and calibration errors of spectra",
                   config::between(0.0, 100.0));
    static const auto schema =
        config::Schema<Parameters>(
            "Simulated galaxies of r < 19.5 (docs/survey.md): images, spectra and the properties they were made from.")
            .field("galaxies", &Parameters::galaxies, "number of galaxies, training and test together",
                   config::between(10, 10'000'000))
            .field("seed", &Parameters::seed, "seed of the galaxies and their noise", config::at_least(0))
            .field("bands", &Parameters::bands, "bands of the images",
                   config::one_of(
                       {"g", "r", "i", "z", "gr", "gi", "gz", "ri", "rz", "iz", "gri", "grz", "giz", "riz", "griz"}))
            .section("simulated_noise", &Parameters::simulated_noise, "factors on the simulated noise", noise)
            .field("ivar", &Parameters::ivar, "keep the spectra's inverse variances, too")
            .field("cache", &Parameters::cache,
                   "folder for the file; empty: astroclip in XDG_CACHE_HOME or in ~/.cache")
            .field("file", &Parameters::file, "path of the file, instead of one in the cache")
            .renamed("image_noise", "simulated_noise.image")
            .renamed("spectrum_noise", "simulated_noise.spectrum")
            .renamed("turns", "dataset.views.image.steps")
            .renamed("jitter", "dataset.views.image.crop.shift")
            .renamed("augment_noise", "dataset.views.spectrum.relative_noise.level")
            .example(R"(
[dataset]
plugin = "simulated_survey"
galaxies = 2000
seed = 3
)");
    return schema;
  }

  explicit SimulatedSurvey(const Parameters& parameters) : PairedDataset(survey_file(parameters)) {}

  std::vector<Field> fields() const override {
    std::vector<Field> fields = PairedDataset::fields();
    for (Field& field : fields) {
      const auto labels = simulation::survey_labels();
      const auto label = std::ranges::find(labels, field.name, &simulation::Label::name);
      if (label == labels.end()) continue;
      field.unit = label->unit;
      field.meaning = label->meaning;
    }
    return fields;
  }
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Dataset, astroclip::SimulatedSurvey)
