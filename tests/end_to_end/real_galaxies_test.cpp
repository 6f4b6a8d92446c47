// Objects that lack a modality: in a small file made here, and in the import of real observations where they are.
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "data/layouts/paired_file.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "support/experiment_text.h"
#include "support/program.h"
#include "support/real_data.h"
#include "support/whole_dataset.h"

namespace astroclip {
namespace {

using testing::HasSubstr;
using testing_support::real_file;
using testing_support::run_program;
using testing_support::scratch;

/// Ten objects: every second lacks its image, the last of each split its spectrum.
std::string write_survey() {
  constexpr int64_t count = 10;
  const std::string path = scratch("partial.h5");
  const std::vector<int64_t> sizes = {count};
  const std::vector<std::string> labels = {"has_image", "has_spectrum"};
  Rng rng(8, RngStream::tests);
  std::vector<float> images(count * 3 * 152 * 152, 0.0F), spectra(count * 7781, 0.0F);
  std::vector<double> redshifts, has_image, has_spectrum;
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    redshifts.push_back(0.1 * static_cast<double>(i));
    has_image.push_back(i % 2 == 0 ? 1.0 : 0.0);
    has_spectrum.push_back(i == 7 || i == 9 ? 0.0 : 1.0);
    ids.push_back(100 + i);
    for (int64_t k = 0; k < 69312 && has_image.back() > 0.0; ++k) {
      images[static_cast<size_t>(i * 69312 + k)] = static_cast<float>(rng.uniform());
    }
    for (int64_t k = 0; k < 7781 && has_spectrum.back() > 0.0; ++k) {
      spectra[static_cast<size_t>(i * 7781 + k)] = static_cast<float>(rng.normal());
    }
  }
  data::PairedWriter writer(path, sizes, labels, false);
  data::PairedRows rows;
  rows.count = count;
  rows.images = images;
  rows.spectra = spectra;
  rows.redshifts = redshifts;
  rows.object_ids = ids;
  rows.labels = {{"has_image", has_image}, {"has_spectrum", has_spectrum}};
  writer.write(rows);
  writer.commit();
  return path;
}

/// Small towers, no training.
std::string write_experiment(const std::string& data) {
  const std::string path = scratch("partial.toml");
  io::write_text(path, "[dataset]\nplugin = \"astroclip_hdf5\"\npath = \"" + data + "\"\n" +
                           testing_support::small_towers + R"([evaluation]
floors = ["untrained", "pca"]
pca_components = 2
[[tasks]]
plugin = "neighbours"
queries = "all"
k = 9
)");
  return path;
}

/// An experiment of such towers on all objects, with one task; further text goes at its end.
std::string write_task(const std::string& data, const std::string& task, const std::string& more) {
  const std::string path = scratch(task + "_of_few.toml");
  io::write_text(path, "[dataset]\nplugin = \"astroclip_hdf5\"\npath = \"" + data + "\"\n" +
                           testing_support::small_towers +
                           "[evaluation]\nobjects = \"all\"\nfloors = [\"untrained\"]\n[[tasks]]\nplugin = \"" + task +
                           "\"\n" + more);
  return path;
}

std::vector<float> embeddings(const std::string& run, const std::string& dataset) {
  return testing_support::whole_dataset<float>(run + "/embeddings.h5", dataset);
}

TEST(PartialObjects, AreEmbeddedWhenAllAreAskedFor) {
  const std::string experiment = write_experiment(write_survey());
  const std::string paired = scratch("paired"), all = scratch("all");
  const auto run = [&](const std::string& folder, const std::string& objects) {
    const auto outcome =
        run_program("run '" + experiment + "' --output '" + folder + "' --set evaluation.objects=" + objects);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_THAT(run(paired, "paired"), HasSubstr("embedded 5 objects in 6 representations"));
  EXPECT_THAT(run(all, "all"), HasSubstr("embedded 10 objects in 6 representations"));
  const auto few = embeddings(paired, "train/image_embeddings"), images = embeddings(all, "train/image_embeddings"),
             spectra = embeddings(all, "train/spectrum_embeddings");
  ASSERT_EQ(few.size(), 4U * 16U);
  ASSERT_EQ(images.size(), 8U * 16U);
  for (size_t row = 0; row < 8; ++row) {
    EXPECT_EQ(std::isnan(images[row * 16]), row % 2 == 1) << row;
    EXPECT_EQ(std::isnan(spectra[row * 16]), row == 7) << row;
    // Objects with both are embedded as if nobody lacked anything.
    for (size_t i = 0; i < 16 && row % 2 == 0; ++i) {
      EXPECT_NEAR(images[row * 16 + i], few[row / 2 * 16 + i], 1e-5);
    }
  }
  const auto reports = nlohmann::json::parse(io::read_text(all + "/report.json"));
  ASSERT_GE(reports.size(), 2U);
  EXPECT_EQ(reports[0].at("rows").size(), 5U * 4U);  // five images, the others of each
  EXPECT_EQ(reports[1].at("rows").size(), 8U * 7U);
}

/// Of the two test objects one has both modalities: it has a partner, and no neighbour.
TEST(PartialObjects, ATableWithoutALineSaysWhy) {
  const std::string folder = scratch("retrieval_of_few");
  const std::string experiment = write_task(write_survey(), "retrieval", R"([[stages]]
name = "alignment"
steps = 1
batch = 4
loss = { plugin = "clip" }
)");
  const auto outcome = run_program("run '" + experiment + "' --output '" + folder + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto reports = nlohmann::json::parse(io::read_text(folder + "/report.json"));
  ASSERT_EQ(reports.size(), 3U);  // the last is the provenance
  EXPECT_FALSE(reports[0].at("rows").empty());
  EXPECT_EQ(reports[1].at("rows").size(), 0U);
  EXPECT_THAT(reports[1].at("note").get<std::string>(),
              testing::StartsWith("No line: too few objects have what it measures. "));
}

TEST(RealGalaxies, AreImportedEmbeddedAndCompared) {
  if (real_file("spectra/sdss_spec-0266-51602-0001.fits").empty()) GTEST_SKIP() << "no real observations";
  std::string files;
  for (const char* name :
       {"images/gzdecals_example_a.fits", "images/gzdecals_example_c.fits", "images/gzdecals_example_incomplete.fits",
        "spectra/desi_stack-LRG.fits", "spectra/desi_coadd-4-80613-thru20210324.fits",
        "spectra/desi_redrock-4-80613-thru20210324.fits", "spectra/desi_everest_coadd-0-80605_25fibers.fits",
        "spectra/sdss_spec-0266-51602-0001.fits"}) {
    files += "'" + real_file(name) + "' ";
  }
  const std::string data = scratch("real.h5"), folder = scratch("real");
  const auto imported = run_program("import " + files + "--output '" + data + "'");
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr("paired: object 299489676975171584: "));
  EXPECT_THAT(imported.out, HasSubstr("28 objects, 2 with an image, 27 with a spectrum, 1 with both, 3 with a "
                                      "redshift; 22 for training, 6 for testing"));
  const auto outcome = run_program("run '" ASTROCLIP_EXPERIMENTS "/real-galaxies.toml' --set dataset.path='" + data +
                                   "' --set stages.spectrum-pretraining.steps=10 --output '" + folder + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  // The real pair went through both towers.
  const auto reports = nlohmann::json::parse(io::read_text(folder + "/report.json"));
  ASSERT_EQ(reports.size(), 3U);  // the last is the provenance
  EXPECT_EQ(reports[0].at("rows").size(), 2U);
  EXPECT_EQ(reports[0].at("rows")[0].at("method"), "299489676975171584 → 1");
  EXPECT_EQ(reports[1].at("rows").size(), 27U * 3U);
  // Three have a redshift, one of them among the test objects.
  const auto redshifts =
      run_program("run '" + write_task(data, "redshift", "") + "' --output '" + scratch("few") + "'");
  EXPECT_EQ(redshifts.status, 1);
  EXPECT_THAT(redshifts.err,
              HasSubstr("label 'redshift': 1 of 22 training objects and 0 of 6 test objects have the label "
                        "and the representation 'untrained' of 'image'; two of each are needed"));
}

}  // namespace
}  // namespace astroclip
