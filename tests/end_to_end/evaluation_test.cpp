// What the lines of a report are of: which objects, which weights.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <hdf5.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/output/durable_file.h"
#include "support/experiment_text.h"
#include "support/program.h"
#include "support/scratch.h"
#include "support/whole_dataset.h"

namespace astroclip {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::run_program;
using testing_support::scratch;
using testing_support::whole_dataset;

constexpr int64_t galaxies = 100, of_group = 10, test_of_group = 2;

/// A paired file whose first `bad` test images, group by group, have a NaN pixel.
std::string survey(const std::string& name, int64_t bad) {
  const std::string path = scratch(name);
  std::filesystem::remove(path);
  EXPECT_EQ(run_program(fmt::format("simulate '{}' --galaxies {}", path, galaxies)).status, 0);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  for (int64_t i = 0; i < bad; ++i) {
    const std::string images = fmt::format("{}/images", i / test_of_group);
    const hid_t dataset = H5Dopen2(file, images.c_str(), H5P_DEFAULT);
    const hid_t space = H5Dget_space(dataset), one = H5Screate(H5S_SCALAR);
    const hsize_t pixel[] = {static_cast<hsize_t>(of_group - test_of_group + i % test_of_group), 76, 76, 0};
    const hsize_t count[] = {1, 1, 1, 1};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, pixel, nullptr, count, nullptr);
    const float nan = std::nanf("");
    EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_FLOAT, one, space, H5P_DEFAULT, &nan), 0);
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(dataset);
  }
  H5Fclose(file);
  return path;
}

/// An experiment with one stage of two steps; further text goes at its end.
std::string experiment(const std::string& name, const std::string& data, const std::string& stage,
                       const std::string& more) {
  const std::string path = scratch(name + ".toml");
  io::write_text(path, fmt::format(R"([experiment]
seed = 7
[dataset]
plugin = "astroclip_hdf5"
path = "{}"
{}[[stages]]
name = "stage"
steps = 2
batch = 8
{}
[[tasks]]
plugin = "redshift"
probes = ["knn"]
k = 8
[[tasks]]
plugin = "retrieval"
[evaluation]
resamples = 20
{}
)",
                                   data, testing_support::small_towers, stage, more));
  return path;
}

struct Evaluated {
  int status;
  std::string err;
  nlohmann::json reports;
  std::string log;
};

Evaluated evaluated(const std::string& name, const std::string& file, const std::string& arguments = "") {
  const std::string folder = scratch(name);
  std::filesystem::remove_all(folder);
  const auto outcome = run_program("run '" + file + "' --output '" + folder + "'" + arguments);
  Evaluated found{outcome.status, outcome.err, {}, {}};
  if (std::filesystem::exists(folder + "/log.txt")) found.log = io::read_text(folder + "/log.txt");
  if (outcome.status != 0) return found;
  found.reports = nlohmann::json::parse(io::read_text(folder + "/report.json"));
  std::erase_if(found.reports.get_ref<nlohmann::json::array_t&>(),
                [](const auto& report) { return report["rows"].empty(); });  // of the dataset and the provenance
  return found;
}

/// Of redshifts, in the first table.
double r_squared_of(const Evaluated& outcome, const std::string& representation, const std::string& modality) {
  for (const auto& row : outcome.reports[0]["rows"]) {
    if (row["representation"] == representation && row["modality"] == modality)
      return row["values"]["R²"].get<double>();
  }
  ADD_FAILURE() << "no line of '" << representation << "' of " << modality;
  return 0.0;
}

constexpr const char* clip = R"(loss = { plugin = "clip" })";

TEST(Evaluation, FailuresAreCountedNamedAndLeftOutOfEveryLine) {
  const std::string data = survey("few.h5", 3);
  const Evaluated found =
      evaluated("few", experiment("few", data, clip, "max_not_finite = 0.2\nfloors = [\"pca\", \"magnitudes\"]"));
  ASSERT_EQ(found.status, 0) << found.err;
  EXPECT_THAT(found.log, HasSubstr("the representation 'aligned' of 'image' is not finite for 3 of 20 test objects"));
  for (const auto& report : found.reports) {
    EXPECT_THAT(report["note"].get<std::string>(), HasSubstr("is not finite for 3 of 20 test objects"));
    ASSERT_FALSE(report["rows"].empty());
    for (const auto& row : report["rows"]) EXPECT_EQ(row["n_test"], 17) << row;
  }
  EXPECT_EQ(found.reports[0]["rows"][0]["n_train"], 80);
}

TEST(Evaluation, FloorsAreShownBeforeTrainingOnRequestAndChangeNoResult) {
  const std::string data = survey("early.h5", 0);
  const Evaluated late = evaluated("late", experiment("late", data, clip, ""));
  const Evaluated early = evaluated("early", experiment("early", data, clip, "floors_first = true"));
  ASSERT_EQ(late.status, 0) << late.err;
  ASSERT_EQ(early.status, 0) << early.err;
  const size_t floors = early.log.find("floors, before training:"), stage = early.log.find("stage stage: clip on");
  ASSERT_NE(stage, std::string::npos);
  ASSERT_LT(floors, stage);
  const std::string first_table = early.log.substr(floors, stage - floors);
  for (const char* floor : {"untrained", "pca-64", "magnitudes"}) EXPECT_THAT(first_table, HasSubstr(floor));
  EXPECT_THAT(first_table, Not(HasSubstr("aligned")));
  EXPECT_THAT(late.log, Not(HasSubstr("before training")));
  EXPECT_EQ(early.reports, late.reports);
}

TEST(Evaluation, MoreFailuresThanTheBoundAreAnError) {
  const std::string data = survey("half.h5", 10);
  const Evaluated found = evaluated("half", experiment("half", data, clip, ""));
  EXPECT_EQ(found.status, 1);
  EXPECT_THAT(found.err, HasSubstr("[evaluation] the representation 'aligned' of 'image' is not finite for 10 of 20 "
                                   "test objects that have the modality (object_id "));
  EXPECT_THAT(found.err, HasSubstr("'max_not_finite' = 0.01"));
}

TEST(Evaluation, AnEmptyTableIsAnError) {
  const std::string data = survey("none.h5", 20);
  const Evaluated found = evaluated("none", experiment("none", data, clip, "max_not_finite = 1.0"));
  EXPECT_EQ(found.status, 1);
  EXPECT_THAT(found.err, HasSubstr("and 0 of 20 test objects have the label and the representation"));
}

/// An untrained head is not measured under the name of a trained one.
TEST(Evaluation, AHeadThatNoStageTrainedIsNotMeasured) {
  const std::string data = survey("clean.h5", 0);
  const Evaluated found = evaluated("masked", experiment("masked", data,
                                                         R"(encoders = ["spectrum"]
loss = { plugin = "masked_spectrum", spans = 2, span_length = 3 })",
                                                         "floors = []"));
  ASSERT_EQ(found.status, 0) << found.err;
  EXPECT_THAT(found.log,
              HasSubstr("encoder spectrum: no stage trained its head, so its backbone's embedding is measured"));
  for (const auto& report : found.reports) {
    for (const auto& row : report["rows"]) {
      const bool is_spectrum = row["modality"].get<std::string>().starts_with("spectrum");
      EXPECT_EQ(row["representation"], is_spectrum ? "before alignment" : "untrained");
    }
  }
  EXPECT_EQ(found.reports.size(), 2U);  // no retrieval across modalities
  // The same weights as another experiment's baseline.
  const std::string model = scratch("masked") + "/model.safetensors";
  const Evaluated beside =
      evaluated("beside_masked", experiment("beside_masked", data, clip, "floors = []\nmodels = [\"" + model + "\"]"));
  ASSERT_EQ(beside.status, 0) << beside.err;
  EXPECT_EQ(r_squared_of(beside, std::filesystem::path(scratch("masked")).filename(), "spectrum"),
            r_squared_of(found, "before alignment", "spectrum"));
}

/// Measured beside a model of all bands, one of two bands gives what it gives in a run of its own.
TEST(Evaluation, AModelTakesItsOwnBandsOfTheDataset) {
  const std::string data = survey("clean.h5", 0);
  const std::string two_bands = data + "\"\n[dataset.image]\nstretch = \"arcsinh\"\nbands = \"gr";
  const Evaluated own = evaluated("two_bands", experiment("two_bands", two_bands, clip, "floors = []"));
  ASSERT_EQ(own.status, 0) << own.err;
  const std::string model = scratch("two_bands") + "/model.safetensors";
  const Evaluated beside =
      evaluated("beside_two", experiment("beside_two", data, clip, "floors = []\nmodels = [\"" + model + "\"]"));
  ASSERT_EQ(beside.status, 0) << beside.err;
  for (const char* modality : {"image", "spectrum"})
    EXPECT_EQ(r_squared_of(beside, "two_bands", modality), r_squared_of(own, "aligned", modality)) << modality;
}

TEST(Evaluation, ASupervisedHeadIsTrainedButNotAligned) {
  const std::string data = survey("clean.h5", 0);
  const Evaluated found = evaluated("supervised", experiment("supervised", data,
                                                             R"(encoders = ["image"]
loss = { plugin = "supervised", labels = ["redshift"], encoder = "image" })",
                                                             "floors = []"));
  ASSERT_EQ(found.status, 0) << found.err;
  for (const auto& row : found.reports[0]["rows"]) {
    EXPECT_EQ(row["representation"], row["modality"] == "image" ? "trained" : "untrained");
  }
}

/// A tower of magnitudes beside the small ones.
constexpr const char* photometry = R"(
[dataset.photometry]
magnitudes = ["mag_g", "mag_r", "mag_z"]
[encoders.photometry]
plugin = "photometry_mlp"
width = 16
)";

/// Columns that stand twice in a representation change no neighbour and no weight, and neither does their order.
TEST(Evaluation, EmbeddingsSideBySideAreMeasuredAsOne) {
  const std::string data = survey("joint.h5", 3);
  const Evaluated found =
      evaluated("joint", experiment("joint", data, clip,
                                    std::string("max_not_finite = 0.2\nfloors = [\"untrained\"]\njoint = [\"image + "
                                                "image\", \"image + photometry\", \"photometry+image\"]") +
                                        photometry));
  ASSERT_EQ(found.status, 0) << found.err;
  for (const std::string name : {"aligned", "untrained"}) {
    const auto line = [&](const std::string& modality) {
      for (const auto& row : found.reports[0]["rows"]) {
        if (row["representation"] == name && row["modality"] == modality) return row;
      }
      ADD_FAILURE() << "no line of " << name << " " << modality;
      return nlohmann::json();
    };
    const auto r2 = [&](const std::string& modality) { return line(modality)["values"]["R²"].get<double>(); };
    EXPECT_NEAR(r2("image + image"), r2("image"), 1e-4);
    EXPECT_NEAR(r2("image + photometry"), r2("photometry+image"), 1e-4);
    EXPECT_GT(std::abs(r2("image + photometry") - r2("image")), 1e-3);
    EXPECT_GT(std::abs(r2("image + photometry") - r2("photometry")), 1e-3);
    EXPECT_EQ(line("image + photometry")["n_test"], 17);  // the others have no finite image
  }
}

TEST(Evaluation, RefusesToPutSideBySideWhatIsNotThere) {
  const std::string data = survey("clean.h5", 0);
  const auto refusal = [&](const std::string& joint) {
    return evaluated("unjoined", experiment("unjoined", data, clip, "joint = [\"" + joint + "\"]")).err;
  };
  EXPECT_THAT(refusal("image + spectra"), HasSubstr("[evaluation] 'joint' = \"image + spectra\": there is no encoder "
                                                    "'spectra' (image, spectrum)"));
  EXPECT_THAT(refusal("image"), HasSubstr("[evaluation] 'joint' = \"image\" names one encoder"));
}

constexpr const char* attentive_alone = " --set tasks.redshift.probes='[\"attentive\"]' --set tasks.redshift.batch=8";

/// On the tokens of trained and untrained backbones; what it predicts of test objects, the kept probe predicts of them.
TEST(Evaluation, AnAttentiveProbeIsFittedOnTokensKeptAndApplied) {
  const std::string data = survey("tokens.h5", 0);
  const Evaluated found = evaluated(
      "tokens", experiment("tokens", data, clip, "embedding = \"pool\"\nkeep_probes = true\nprobe_seeds = 1\n"),
      std::string(attentive_alone) + " --set experiment.precision=f32");
  ASSERT_EQ(found.status, 0) << found.err;
  const auto& report = found.reports[0];
  std::vector<std::string> lines;
  for (const auto& row : report["rows"]) {
    lines.push_back(row["modality"].get<std::string>() + ": " + row["representation"].get<std::string>());
    EXPECT_EQ(row["method"], "attentive");
  }
  ASSERT_EQ(lines.size(), 4U);
  const std::string own = lines[0].substr(lines[0].find(": ") + 2);
  EXPECT_THAT(lines,
              testing::ElementsAre("image: " + own, "image: untrained", "spectrum: " + own, "spectrum: untrained"));
  EXPECT_THAT(report["note"].get<std::string>(),
              HasSubstr("No tokens, and so no attentive probe: pca-64 (image), pca-64 (spectrum), magnitudes (image), "
                        "magnitudes (spectrum)."));
  const std::string run = scratch("tokens");
  EXPECT_FALSE(std::filesystem::exists(run + "/tokens"));

  const std::string output = scratch("with_tokens.h5");
  std::filesystem::remove(output);
  const std::string probe = run + "/probes/redshift redshift image " + own + " attentive.safetensors";
  const auto embedded = run_program("embed --model '" + run + "/model.safetensors' --input '" + data + "' --output '" +
                                    output + "' --embedding pool --precision f32 --batch 7 --probe '" + probe + "'");
  ASSERT_EQ(embedded.status, 0) << embedded.err;
  const std::vector<int64_t> ids = whole_dataset<int64_t>(output, "object_id");
  const std::vector<double> of_all = whole_dataset<double>(output, "image_redshift_attentive");
  const std::string group = "redshift/redshift/image/" + own + "/attentive/";
  const std::vector<int64_t> of_test = whole_dataset<int64_t>(run + "/predictions.h5", group + "object_id");
  const std::vector<double> expected = whole_dataset<double>(run + "/predictions.h5", group + "predicted");
  ASSERT_EQ(of_test.size(), 20U);
  for (size_t i = 0; i < of_test.size(); ++i) {
    const auto row = std::ranges::find(ids, of_test[i]) - ids.begin();
    ASSERT_LT(row, std::ssize(of_all));
    EXPECT_NEAR(of_all[static_cast<size_t>(row)], expected[i], 1e-5);
  }
}

TEST(Evaluation, TokensHaveABoundAndAreOfBackbones) {
  const std::string data = survey("bounded.h5", 0), file = experiment("bounded", data, clip, "");
  const Evaluated of_heads = evaluated("bounded", file, attentive_alone);
  EXPECT_EQ(of_heads.status, 1);
  EXPECT_THAT(of_heads.err, HasSubstr("[tasks] 'redshift' has an attentive probe, and embeddings of heads have no "
                                      "tokens: set [evaluation] 'embedding' = \"pool\""));
  EXPECT_THAT(of_heads.log, Not(HasSubstr("stage stage:"))) << "before it trains";
  const Evaluated bounded = evaluated(
      "bounded", file, std::string(attentive_alone) + " --set evaluation.embedding=pool --set evaluation.token_mb=0");
  EXPECT_EQ(bounded.status, 1);
  // Of 80 objects in batches of 32 there are 96, each of 4 tokens of 16 floats and a class token.
  EXPECT_THAT(bounded.err, HasSubstr("[evaluation] the tokens of the image backbone, which a task reads, take 1 MB "
                                     "beside 0 of others; 'token_mb' allows 0 and the disk has "));
  EXPECT_FALSE(std::filesystem::exists(scratch("bounded") + "/tokens"));
}

TEST(Evaluation, QuestionsWithoutVotesEnoughAreAnError) {
  const std::string file = experiment("votes", survey("votes.h5", 0), clip,
                                      "floors = []\n[[tasks]]\nplugin = \"morphology\"\nprobes = [\"knn\"]\n"
                                      "questions = [\"merging\", \"bar\"]\nmin_votes = 1000");
  const Evaluated found = evaluated("votes", file);
  EXPECT_EQ(found.status, 1);
  EXPECT_THAT(found.err,
              HasSubstr("[tasks] 'morphology' measured nothing: the table \"morphology: answers of test objects "
                        "from representations of training objects\" has no line"));
  EXPECT_THAT(found.err, HasSubstr("Test objects have at least 1000 votes on a question; left out with fewer: "));
  EXPECT_THAT(found.err, HasSubstr("Not measured, as fewer than two objects have the votes: "));
}

}  // namespace
}  // namespace astroclip
