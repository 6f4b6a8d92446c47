// An experiment that asks for labels its dataset lacks is refused before it trains.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/toml.h"
#include "evaluate/label_floors.h"
#include "plugin/host.h"
#include "support/scratch.h"

namespace astroclip::evaluate {
namespace {

/// Objects with redshifts and without magnitudes.
class Redshifts final : public Dataset {
 public:
  std::vector<Field> fields() const override {
    return {{"object_id", DType::i64, {}, "", ""}, {"redshift", DType::f64, {}, "", ""}};
  }
  int64_t size(Split) const override { return 0; }
  void read(Split, std::span<const int64_t>, std::span<const std::string>, HostBatch&) const override {}
};

/// Of the objects, or of the simulated survey's.
std::string refusal(const std::string& tasks, const Dataset* objects = nullptr) {
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
    check_labels(experiment, objects == nullptr ? *dataset : *objects);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// The message goes on with all labels, and may suggest one of them.
auto names_no(const std::string& label, const std::string& suggestion = "") {
  return testing::AllOf(
      testing::StartsWith("dataset 'simulated_survey' has no label '" + label +
                          "', which the tasks or floors read; its labels are redshift, object_id, age, "),
      testing::HasSubstr(", mag_g, "), testing::EndsWith(suggestion));
}

TEST(Labels, OfATask) {
  EXPECT_THAT(refusal("[[tasks]]\nplugin = \"retrieval\"\nlabels = [\"redshfit\"]\n"),
              names_no("redshfit", "; did you mean 'redshift'?"));
}

/// Nobody asked for those: an experiment on real data need not leave them out by hand.
TEST(Labels, OfTheDefaultFloorsMayLack) {
  const Redshifts objects;
  const std::string task = "[[tasks]]\nplugin = \"redshift\"\n";
  EXPECT_EQ(refusal(task, &objects), "");
  EXPECT_THAT(refusal(task + "[evaluation]\nlabel_floors = [{ name = \"magnitudes\", modality = \"spectrum\", labels = "
                             "[\"mag_w1\"] }]\n",
                      &objects),
              testing::HasSubstr("has no label 'mag_w1', which the tasks or floors read"));
}

std::string with_colours(const std::string& modality) {
  return "[evaluation]\nfloors = [\"colours\"]\nlabel_floors = [{ name = \"colours\", modality = \"" + modality +
         "\", labels = [\"mag_g\", \"w1\"] }]\n";
}

TEST(Labels, OfAFloor) { EXPECT_THAT(refusal(with_colours("spectrum")), names_no("w1")); }

TEST(Labels, OfAFloorWhoseModalityNoEncoderHas) {
  EXPECT_EQ(
      refusal(with_colours("image")),
      "[evaluation.label_floors] 'colours' is of the modality 'image', which no encoder has; there are: spectrum");
}

TEST(Labels, ThatAreThereRaiseNothing) { EXPECT_EQ(refusal("[[tasks]]\nplugin = \"redshift\"\n"), ""); }

}  // namespace
}  // namespace astroclip::evaluate
