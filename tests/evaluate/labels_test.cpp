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
    " (redshift, object_id, age, dust, fibermag_g, fibermag_r, fibermag_z, log_mass, log_sfr, mag_g, mag_r, "
    "mag_z)";

TEST(Labels, OfATask) {
  EXPECT_EQ(refusal("[[tasks]]\nplugin = \"redshift\"\nlabel = \"redshfit\"\n"),
            std::string("dataset 'simulated_survey' has no label 'redshfit', which the tasks or baselines read") +
                labels_there + "; did you mean 'redshift'?");
}

TEST(Labels, OfTheMagnitudesFloor) {
  EXPECT_EQ(
      refusal("[evaluation]\nspectrum_magnitudes = [\"w1\"]\n[[tasks]]\nplugin = \"redshift\"\n"),
      std::string("dataset 'simulated_survey' has no label 'w1', which the tasks or baselines read") + labels_there);
}

TEST(Labels, ThatAreThereRaiseNothing) { EXPECT_EQ(refusal("[[tasks]]\nplugin = \"redshift\"\n"), ""); }

}  // namespace
}  // namespace astroclip::evaluate
