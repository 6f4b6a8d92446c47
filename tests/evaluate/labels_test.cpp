// An experiment that asks for labels its dataset lacks is refused before it trains.
#include <gtest/gtest.h>

#include "config/toml.h"
#include "evaluate/evaluation.h"
#include "plugin/host.h"
#include "support/scratch.h"

namespace astroclip::evaluate {
namespace {

std::string refusal(const std::string& tasks) {
  const std::string text = R"([dataset]
plugin = "simulated_survey"
galaxies = 10
cache = ")" + testing_support::scratch("labels") +
                           R"("
[encoders.spectrum]
plugin = "specformer"
dim = 12
depth = 1
heads = 1
)" + tasks;
  const Experiment experiment = read_experiment(config::parse_text(text, "e.toml"));
  const auto dataset = experiment.dataset.make();
  try {
    check_labels(experiment, *dataset);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

constexpr const char* labels_there =
    "; its labels are redshift, object_id, age, dust, fibermag_g, fibermag_r, fibermag_z, log_mass, log_sfr, mag_g, "
    "mag_r, "
    "mag_z";

TEST(Labels, OfATask) {
  EXPECT_EQ(refusal("[[tasks]]\nplugin = \"retrieval\"\nlabel = \"redshfit\"\n"),
            std::string("dataset 'simulated_survey' has no label 'redshfit', which the tasks or floors read") +
                labels_there + "; did you mean 'redshift'?");
}

std::string with_colours(const std::string& modality) {
  return "[evaluation]\nfloors = [\"colours\"]\nlabel_floors = [{ name = \"colours\", modality = \"" + modality +
         "\", labels = [\"mag_g\", \"w1\"] }]\n";
}

TEST(Labels, OfAFloor) {
  EXPECT_EQ(refusal(with_colours("spectrum")),
            std::string("dataset 'simulated_survey' has no label 'w1', which the tasks or floors read") + labels_there);
}

TEST(Labels, OfAFloorWhoseModalityNoEncoderHas) {
  EXPECT_EQ(
      refusal(with_colours("image")),
      "[evaluation.label_floors] 'colours' is of the modality 'image', which no encoder has; there are: spectrum");
}

TEST(Labels, ThatAreThereRaiseNothing) { EXPECT_EQ(refusal("[[tasks]]\nplugin = \"redshift\"\n"), ""); }

}  // namespace
}  // namespace astroclip::evaluate
