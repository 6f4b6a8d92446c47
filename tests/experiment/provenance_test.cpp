// What is refused when data or code have changed since, word for word.
#include "experiment/provenance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/fingerprint.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip {
namespace {

using testing::ElementsAre;

const std::string made = R"([dataset]
"training objects" = 4800
"object ids" = "0a"
[code]
astroclip = "1a"
"encoder vit" = "2a"
[files]
"vit.ckpt" = "3a"
)";

Provenance with(const std::string& before, const std::string& after) {
  std::string text = made;
  return Provenance::parse(text.replace(text.find(before), before.size(), after), "p");
}

std::string refusal(const Provenance& now, Rebuilt rebuilt = Rebuilt::refuse) {
  try {
    return "accepted: " + check_unchanged(Provenance::parse(made, "p"), now, "runs/a", rebuilt);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Provenance, ThatIsTheSameIsAccepted) { EXPECT_EQ(refusal(Provenance::parse(made, "p")), "accepted: "); }

TEST(Provenance, OfOtherDataIsRefused) {
  EXPECT_EQ(refusal(with("4800", "4000")),
            "runs/a: was made when the dataset had 4800 training objects; now it has 4000");
  EXPECT_EQ(refusal(with("0a", "0b"), Rebuilt::accept), "runs/a: was made when the dataset had other object ids");
  EXPECT_EQ(refusal(with("3a", "3b"), Rebuilt::accept), "runs/a: was made when vit.ckpt had other contents");
}

TEST(Provenance, NamesTheFileThatChanged) {
  const auto of_files = [](const std::string& digits) {
    Provenance provenance = Provenance::parse(made, "p");
    provenance.dataset.set(file_contents, {digits, {}});
    provenance.dataset_files = {"a.h5", "b.h5"};
    return provenance;
  };
  const auto says = [&](const std::string& digits) {
    try {
      return check_unchanged(of_files("0123456789abcdef"), of_files(digits), "runs/a", Rebuilt::accept);
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(says("0123456789abcdef"), "");
  EXPECT_EQ(says("0123456789abcdee"), "runs/a: was made when b.h5, file 2 of 2, had other contents");
  EXPECT_EQ(says("1123456789abcdef"), "runs/a: was made when a.h5, file 1 of 2, had other contents");
  EXPECT_EQ(says("01234567"), "runs/a: was made when the dataset had 2 files; now it has 1");
}

TEST(Provenance, OfOtherCodeIsRefusedUnlessAccepted) {
  EXPECT_EQ(refusal(with("2a", "2b")),
            "runs/a: encoder 'vit' was rebuilt since; --accept-rebuilt goes on with what there is now");
  EXPECT_EQ(refusal(with("2a", "2b"), Rebuilt::accept), "accepted: runs/a: encoder 'vit' was rebuilt since");
  Provenance both = with("2a", "2b");
  both.code.set("astroclip", {"1b", {}});
  EXPECT_EQ(refusal(both, Rebuilt::accept), "accepted: runs/a: astroclip, encoder 'vit' were rebuilt since");
}

TEST(Provenance, ThatIsUnknownIsSaid) {
  EXPECT_EQ(check_unchanged(Provenance::parse("", "p"), with("0a", "0b"), "runs/a", Rebuilt::refuse),
            "runs/a: was made by a version of astroclip that did not note its data and plugins, so that they are not "
            "compared");
}

TEST(Provenance, IsReadAsItWasWritten) {
  Provenance provenance = Provenance::parse(made, "p");
  provenance.accepted = {"runs/a: astroclip was rebuilt since"};
  const Provenance read = Provenance::parse(provenance.text(), "p");
  EXPECT_EQ(read.text(), provenance.text());
  EXPECT_EQ(read.accepted, provenance.accepted);
}

TEST(Provenance, HasTheCodeOfEveryPluginAtAnyDepthAndTheWeightsThatStagesStartFrom) {
  const std::string weights = std::string(ASTROCLIP_FIXTURES) + "/specformer.ckpt";
  const Experiment experiment = read_experiment(config::parse_text(R"([dataset]
plugin = "simulated_survey"
[encoders.spectrum]
plugin = "specformer"
[encoders.image]
plugin = "vit"
[[stages]]
name = "stage"
init = { spectrum = ")" + weights + R"(" }
loss = { plugin = "sum", losses = [{ plugin = "clip" }] }
[[tasks]]
plugin = "redshift"
)",
                                                                   "e.toml"));
  const Provenance provenance = provenance_of(experiment, {});
  std::vector<std::string> code;
  for (const auto& entry : provenance.code.entries()) code.push_back(entry.key);
  EXPECT_THAT(code, testing::UnorderedElementsAre("astroclip", "dataset simulated_survey", "encoder specformer",
                                                  "encoder vit", "loss sum", "loss clip", "task redshift"));
  EXPECT_EQ(*provenance.files.find(weights)->get_if<std::string>(), file_hash(weights));
}

}  // namespace
}  // namespace astroclip
