// Labels of one's own, joined to a file of pairs.
#include <gmock/gmock.h>

#include <fstream>

#include "data/layouts/paired_file.h"
#include "io/output/durable_file.h"
#include "support/program.h"
#include "support/whole_dataset.h"

namespace astroclip {
namespace {

using testing::HasSubstr;
using testing_support::Outcome;
using testing_support::run_program;
using testing_support::scratch;

constexpr int64_t objects = 50, training = 40;  // the last fifth is for testing

double ra_of(int64_t object) { return 150.0 + 0.01 * static_cast<double>(object); }
double redshift_of(int64_t object) { return 0.1 + 0.01 * static_cast<double>(object % 10); }

/// Objects whose images tell their redshifts, which the file does not have.
std::string pairs() {
  constexpr size_t pixels = 3 * 152 * 152;
  std::vector<float> images, spectra;
  std::vector<double> ra, dec(objects, 2.0), unknown(objects, std::nan(""));
  std::vector<int64_t> ids;
  for (int64_t object = 0; object < objects; ++object) {
    ra.push_back(ra_of(object));
    ids.push_back(object);
    const double scale = 1.0 + 10.0 * redshift_of(object);
    for (size_t i = 0; i < pixels; ++i) images.push_back(static_cast<float>(scale * (i % 97 == 0 ? 1.0 : 0.02)));
    for (int64_t i = 0; i < data::paired_pixels; ++i)
      spectra.push_back(static_cast<float>(scale + std::sin(0.001 * scale * static_cast<double>(i))));
  }
  const std::string path = scratch("labelled.h5");
  const int64_t groups[] = {objects};
  const std::vector<std::string> labels = {"dec", "ra"};
  data::PairedWriter writer(path, groups, labels, false);
  writer.write({.count = objects,
                .images = images,
                .spectra = spectra,
                .redshifts = unknown,
                .object_ids = ids,
                .labels = {{"ra", ra}, {"dec", dec}}});
  writer.commit();
  return path;
}

/// 0.3 arcsec from its object each; objects 3 and 41 have no redshift, 4 and 42 a bad one, 5 and 43 no row.
std::string catalogue() {
  const std::string path = scratch("mine.csv");
  std::ofstream file(path);
  file << "# my catalogue\nRA,DEC,Z_BEST,ZWARN\n";
  file.precision(12);
  for (int64_t object = objects - 1; object >= 0; --object) {
    const int64_t in_split = object < training ? object : object - training + 2;
    if (in_split == 5) continue;
    file << ra_of(object) << "," << 2.0 + 0.3 / 3600.0 << ",";
    file << (in_split == 3 ? -999.0 : redshift_of(object)) << "," << (in_split == 4 ? 4 : 0) << "\n";
  }
  return path;
}

TEST(LabelsOfOnesOwn, AreJoinedByPositionAndMeasured) {
  const std::string file = pairs(), table = catalogue(), folder = scratch("labelled");
  const std::string dataset =
      "dataset={ plugin = \"astroclip_hdf5\", path = \"" + file +
      "\", where = \"zwarn == 0 || !isfinite(zwarn)\", labels = [{ file = \"" + table +
      "\", ra = \"RA\", dec = \"DEC\", columns = { z_best = \"Z_BEST\", zwarn = \"ZWARN\" } }] }";
  const std::string arguments =
      "'" ASTROCLIP_EXPERIMENTS "/smoke.toml' --set '" + dataset +
      "' --set stages.spectrum-pretraining.steps=2 --set stages.alignment.steps=2 --set stages.alignment.batch=8"
      " --set stages.spectrum-pretraining.batch=8 --set evaluation.floors='[]' --set tasks.redshift.label=z_best"
      " --set tasks.redshift.probes='[\"knn\"]' --set tasks.redshift.k=3";
  const std::vector<std::string> notes = {
      "labels z_best, zwarn of " + table + ": 48 of 50 objects matched within 1 arcsec of RA, DEC; 2 have no row",
      "label z_best: 2 values of -999 missing", "where zwarn == 0 || !isfinite(zwarn): 48 of 50 objects are kept"};
  const Outcome checked = run_program("check --data " + arguments);
  ASSERT_EQ(checked.status, 0) << checked.err;
  for (const std::string& note : notes) EXPECT_THAT(checked.out, HasSubstr(note + "\n"));
  const Outcome outcome = run_program("run " + arguments + " --output '" + folder + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string log = io::read_text(folder + "/log.txt");
  EXPECT_THAT(log, HasSubstr("39 training and 9 test objects"));
  for (const std::string& note : notes) EXPECT_THAT(log, HasSubstr(note));
  // Of the 9 test objects one has no row and one no redshift.
  const std::string predictions = folder + "/predictions.h5";
  std::string group = "redshift/z_best/image";
  for (int depth = 0; depth < 2; ++depth) group += "/" + io::Hdf5File::open(predictions).groups(group).front();
  const auto truth = testing_support::whole_dataset<double>(predictions, group + "/truth");
  EXPECT_EQ(truth.size(), 7U);
  EXPECT_THAT(truth, testing::Each(testing::AllOf(testing::Ge(0.1), testing::Lt(0.2))));
}

}  // namespace
}  // namespace astroclip
