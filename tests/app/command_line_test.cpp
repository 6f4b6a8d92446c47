#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/verbs.h"
#include "io/output/durable_file.h"
#include "support/program.h"
#include "support/scratch.h"

namespace {

namespace fs = std::filesystem;
using astroclip::testing_support::Outcome;
using astroclip::testing_support::run_program;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Outcome run(const std::string& arguments) { return run_program(arguments); }

const std::string with_plugins = "--plugins '" TEST_PLUGINS "' ";
const std::string folder = TEST_PLUGINS;

TEST(CommandLine, HelpNamesTheVerbs) {
  const auto outcome = run("--help");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  for (const auto& verb : astroclip::app::all_verbs()) EXPECT_THAT(outcome.out, HasSubstr("\n  " + verb.name + " "));
}

TEST(CommandLine, VersionTellsWhatItIsBuiltWith) {
  const auto outcome = run("--version");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out,
              ::testing::MatchesRegex("astroclip [0-9.]+\nplugin API [0-9]+, ABI: headers [0-9a-f]{12}, .*\n"
                                      "build: .*\nlibraries: oneDNN [0-9.]+, HDF5 [0-9.]+, .*\n"
                                      "devices: (cuda, )?cpu, reference\ncard: .+\nprecision .auto. is (f32|bf16): .*\n"
                                      "this machine: .*[0-9]+ processors\n"));
}

TEST(CommandLine, SimulateWritesASurveyOnce) {
  const std::string file = astroclip::testing_support::scratch("cli.h5");
  auto outcome = run("simulate '" + file + "' --galaxies 20 --set seed=4");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith(file + ": 16 simulated galaxies for training, 4 for testing"));
  outcome = run("simulate '" + file + "' --galaxies 10");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + file + ": already exists\n");
  fs::remove(file);
}

TEST(CommandLine, SimulateNamesEveryProblem) {
  auto outcome = run("simulate /nowhere/a.h5 --set galxies=3 --seed=-1");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("--set galxies=3: error: [simulate] plugin 'simulated_survey' has no parameter "
                                     "'galxies'; did you mean 'galaxies'?\n"));
  EXPECT_THAT(outcome.err, HasSubstr("--seed: error: [simulate] 'seed' = -1 is below 0\n"));
  outcome = run("simulate");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, StartsWith("astroclip: error: missing argument: OUTPUT.h5\n"));
}

TEST(CommandLine, BenchRefusesBeforeItMeasures) {
  auto outcome = run("bench --precision f16");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(
      outcome.err,
      StartsWith("astroclip: error: --precision must be one of f32, bf16, found 'f16'; did you mean 'bf16'?\n"));
  outcome = run("bench --only nonsense");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, StartsWith("astroclip: error: [bench] no row's name contains 'nonsense'; the rows are:\n"));
}

TEST(CommandLine, UsageErrorsEndWithStatus2) {
  const std::string hint = "\nsee: astroclip --help\n", list_hint = "\nsee: astroclip list --help\n";
  auto outcome = run("");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "astroclip: error: a verb is missing" + hint);
  outcome = run("lsit");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "astroclip: error: unknown verb 'lsit'; did you mean 'list'?" + hint);
  outcome = run("--frobnicate list");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "astroclip: error: unknown option '--frobnicate'" + hint);
  outcome = run("list --frobnicate");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "astroclip: error: unknown option '--frobnicate'" + list_hint);
  outcome = run("list encodrs");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err,
            "astroclip: error: KIND must be one of encoders, losses, datasets, tasks, found 'encodrs'; did you mean "
            "'encoders'?" +
                list_hint);
  outcome = run("describe");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "astroclip: error: missing argument: PLUGIN\nsee: astroclip describe --help\n");
  outcome = run("list --plugins");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "astroclip: error: --plugins needs a value: DIR" + list_hint);
}

TEST(CommandLine, ErrorsEndWithStatus1) {
  auto outcome = run("--plugins /nonexistent list");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: plugin folder '/nonexistent' does not exist\n");
  EXPECT_EQ(outcome.out, "");
}

TEST(CommandLine, ListShowsSoundAndUnusablePlugins) {
  const auto outcome = run(with_plugins + "list tasks");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, StartsWith("tasks\n"));
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("\n  counter +Counts\\.\n"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("encoders\n")));
}

TEST(CommandLine, ListWithoutAKindShowsAll) {
  const auto outcome = run("list --plugins='" + folder + "'");
  EXPECT_EQ(outcome.status, 0);
  for (const char* kind : {"encoders\n", "\nlosses\n", "\ndatasets\n", "\ntasks\n"})
    EXPECT_THAT(outcome.out, HasSubstr(kind));
  EXPECT_THAT(outcome.out, HasSubstr("\ncannot be used\n  " + folder + "/damaged.so has a damaged plugin record\n"));
  EXPECT_THAT(outcome.out,
              HasSubstr("\n  " + folder +
                        "/other_api.so was built for plugin API 4711, this astroclip has 1; build it again\n"));
}

TEST(CommandLine, ThePluginPathComesFromTheEnvironmentToo) {
  ASSERT_EQ(setenv("ASTROCLIP_PLUGIN_PATH", (":/nonexistent:" + folder).c_str(), 1), 0);
  const auto outcome = run("list tasks");
  unsetenv("ASTROCLIP_PLUGIN_PATH");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("\n  counter "));
}

TEST(CommandLine, DescribePrintsEveryParameter) {
  const auto outcome = run(with_plugins + "describe gauge");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out, "task 'gauge': Measures.\n" + folder +
                             "/gauge.so\n\n"
                             "  parameter     type             default   range             meaning\n"
                             "  unit          string           required  one of \"Å\", \"nm\"  what lengths are in\n"
                             "  probes        list of strings  [\"knn\"]                     what to train\n"
                             "  pace          section                                      how fast\n"
                             "  pace.seconds  number           0.5       above 0           time for each\n");
}

TEST(CommandLine, DescribeOfAnExperimentPrintsTheFieldsOfItsDataset) {
  namespace io = astroclip::io;
  using astroclip::testing_support::scratch;
  const std::string file = scratch("described.toml");
  io::write_text(file,
                 "[dataset]\nplugin = \"simulated_survey\"\ngalaxies = 20\ncache = \"" + scratch("described") + "\"\n");
  auto outcome = run("describe " + file);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::ContainsRegex("dataset 'simulated_survey': 16 training and 4 test objects\n\n"
                                                  "  field +type +shape"));
  EXPECT_THAT(outcome.out,
              testing::ContainsRegex("\n  age +f64 +\\[\\] +Gyr +age of the stars, weighted by the mass formed\n"));
  io::write_text(file, "[datasets]\n");
  outcome = run("describe " + file);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: " + file + ": has no section [dataset]\n");
}

TEST(CommandLine, DescribeOfWhatIsNotThere) {
  auto outcome = run(with_plugins + "describe countr");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: there is no plugin 'countr'; did you mean 'counter'?\n");
  outcome = run(with_plugins + "describe photometry");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: there is no plugin 'photometry'; see: astroclip list\n");
  outcome = run(with_plugins + "describe damaged");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "astroclip: error: plugin 'damaged': " + folder + "/damaged.so has a damaged plugin record\n");
}

}  // namespace
