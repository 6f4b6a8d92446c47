// A model of some bands of a survey, from its training to the embedding of other files.
#include <gmock/gmock.h>

#include "io/output/durable_file.h"
#include "support/program.h"
#include "support/whole_dataset.h"

namespace astroclip {
namespace {

using testing::HasSubstr;
using testing_support::run_program;
using testing_support::scratch;
using testing_support::whole_dataset;

/// Four bands of forty galaxies, and two bands of twenty.
std::string simulated(const std::string& bands, int galaxies) {
  const std::string path = scratch(bands + ".h5");
  const auto outcome =
      run_program("simulate '" + path + "' --galaxies " + std::to_string(galaxies) + " --set bands=" + bands);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return path;
}

TEST(Bands, AModelTakesItsOwnFromFilesWithMore) {
  const std::string survey = simulated("griz", 40), experiment = scratch("bands.toml"), run = scratch("run");
  io::write_text(experiment, "[dataset]\nplugin = \"astroclip_hdf5\"\npath = \"" + survey + R"("
image = { bands = "zr", stretch = "arcsinh" }
[dataset.views.image]
steps = ["rotate", "size_jitter", "crop", "blur", "coloured_noise", "channel_dropout"]
[encoders.image]
plugin = "resnet"
image = 24
dim = 4
blocks = [1]
[[stages]]
name = "supervised"
loss = { plugin = "supervised", labels = ["redshift"], encoder = "image" }
steps = 2
batch = 8
[evaluation]
floors = []
embedding = "pool"
[[tasks]]
plugin = "redshift"
k = 4
probes = ["knn"]
)");
  auto outcome = run_program("run '" + experiment + "' --output '" + run + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string embed = "embed --model '" + run + "/model.safetensors' --embedding pool ";
  const std::string plain = scratch("plain.h5"), chosen = scratch("chosen.h5");
  outcome = run_program(embed + "--input '" + survey + "' --output '" + plain + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  outcome = run_program(embed + "--dataset '" + experiment + "' --output '" + chosen + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  // The file's bands are those that the experiment chose; objects of the test split come last there.
  std::vector<float> all = whole_dataset<float>(plain, "image_embeddings"),
                     of_splits = whole_dataset<float>(chosen, "image_embeddings");
  ASSERT_EQ(all.size(), 40U * 4);
  std::ranges::sort(all);
  std::ranges::sort(of_splits);
  EXPECT_EQ(all, of_splits);
  const std::string other = simulated("gr", 20);
  outcome = run_program(embed + "--input '" + other + "' --output '" + scratch("none.h5") + "'");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(other + ": the model takes images in the bands z, r, these are in g, r"));
}

}  // namespace
}  // namespace astroclip
