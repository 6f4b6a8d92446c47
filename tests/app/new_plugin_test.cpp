// What `astroclip new-plugin` writes and refuses; that it builds and works is tests/tools/package_test.sh's matter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "io/output/durable_file.h"
#include "support/program.h"
#include "support/scratch.h"

namespace {

namespace fs = std::filesystem;
using astroclip::testing_support::run_program;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class NewPlugin : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directory(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  std::string in_folder(const std::string& name) const { return folder_ + "/" + name; }
  /// Standard error of a call that must fail with a status.
  static std::string refusal(const std::string& arguments, int status = 1) {
    const auto outcome = run_program("new-plugin " + arguments);
    EXPECT_EQ(outcome.status, status) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
    return outcome.err;
  }

  std::string folder_ = astroclip::testing_support::scratch("new_plugin");
};

TEST_F(NewPlugin, HasItsNameEverywhere) {
  const std::string kinds[] = {"encoder", "loss", "dataset", "task"};
  const std::string classes[] = {"DeepFieldEncoder", "DeepFieldLoss", "DeepFieldDataset", "DeepFieldTask"};
  for (size_t i = 0; i < 4; ++i) {
    const std::string where = in_folder(kinds[i]);
    const auto outcome = run_program("new-plugin " + kinds[i] + " deep_field --output '" + where + "'");
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, StartsWith(where + "/CMakeLists.txt\n" + where + "/deep_field.cpp\n"));
    std::vector<std::string> files;
    for (const auto& file : fs::directory_iterator(where)) {
      files.push_back(file.path().filename());
      const std::string text = astroclip::io::read_text(file.path());
      EXPECT_THAT(text, HasSubstr("deep_field")) << file.path();
      EXPECT_THAT(text, Not(HasSubstr("my_"))) << file.path();
      EXPECT_THAT(text, Not(HasSubstr("My"))) << file.path();
    }
    EXPECT_THAT(files,
                UnorderedElementsAre("CMakeLists.txt", "deep_field.cpp", "deep_field_test.cpp", "experiment.toml"));
    EXPECT_THAT(astroclip::io::read_text(where + "/deep_field.cpp"), HasSubstr(", " + classes[i] + ")\n"));
  }
}

TEST_F(NewPlugin, RefusesWhatIsNoName) {
  const std::string rule =
      " is no name for a plugin: expected at most 64 lower-case letters, digits and single '_', beginning with a "
      "letter";
  EXPECT_EQ(refusal("encoder Deep-Field"), "astroclip: error: 'Deep-Field'" + rule + "; did you mean 'deep_field'?\n");
  EXPECT_EQ(refusal("encoder 2mass"), "astroclip: error: '2mass'" + rule + "; did you mean 'mass'?\n");
  EXPECT_EQ(refusal("encoder ../a"), "astroclip: error: '../a'" + rule + "; did you mean 'a'?\n");
  EXPECT_EQ(refusal("encoder a__b"), "astroclip: error: 'a__b'" + rule + "; did you mean 'a_b'?\n");
  EXPECT_EQ(refusal("encoder ''"), "astroclip: error: ''" + rule + "\n");
  const std::string endless(65, 'a');
  EXPECT_EQ(refusal("encoder " + endless), "astroclip: error: '" + endless + "'" + rule + "\n");
}

TEST_F(NewPlugin, RefusesWhatIsThereAlready) {
  EXPECT_THAT(refusal("encoder vit"), StartsWith("astroclip: error: the encoder 'vit' exists already: /"));
  astroclip::io::write_text(in_folder("mine"), "kept");
  EXPECT_EQ(refusal("loss mine --output '" + in_folder("mine") + "'"),
            "astroclip: error: " + in_folder("mine") + ": exists already and is left as it is\n");
  EXPECT_EQ(astroclip::io::read_text(in_folder("mine")), "kept");
  EXPECT_EQ(refusal("loss mine --output /nowhere/mine"),
            "astroclip: error: /nowhere/mine: cannot be made: No such file or directory\n");
}

TEST_F(NewPlugin, RefusesAnUnknownKindOrNone) {
  EXPECT_THAT(
      refusal("encodr mine", 2),
      StartsWith("astroclip: error: KIND must be one of encoder, loss, dataset, task, found 'encodr'; did you mean"));
  EXPECT_THAT(refusal("encoder", 2), StartsWith("astroclip: error: missing argument: NAME"));
}

}  // namespace
