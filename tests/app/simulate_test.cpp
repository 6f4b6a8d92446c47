#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <numeric>
#include <sstream>

#include "data/layouts/paired_file.h"
#include "io/output/output_file.h"
#include "support/program.h"
#include "support/scratch.h"

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using astroclip::testing_support::run_program;
using astroclip::testing_support::scratch;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A variable of the environment for as long as this lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before, was_set_ = true;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { was_set_ ? setenv(name_, before_.c_str(), 1) : unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool was_set_ = false;
};

std::string contents(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// A label of all galaxies of a survey's file.
std::vector<double> label(const std::string& file, const std::string& name) {
  const auto survey = astroclip::data::PairedFile::open(file);
  std::vector<double> values;
  for (const bool training : {true, false}) {
    std::vector<int64_t> rows(static_cast<size_t>(survey.size(training)));
    std::iota(rows.begin(), rows.end(), 0);
    std::vector<double> part(rows.size());
    survey.read(training, rows, name, astroclip::DType::f64, part.data());
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

class Simulate : public testing::Test {
 protected:
  std::string file_ = scratch("simulate.h5"), other_ = scratch("simulate_other.h5"), folder_ = scratch("figures");
  void TearDown() override {
    fs::remove(file_), fs::remove(other_);
    fs::remove_all(folder_);
  }
};

TEST_F(Simulate, FiguresAreNumbersBesideThePublishedOnesWhereThereIsNoGnuplot) {
  const Environment nowhere("PATH", "/nonexistent");
  const auto outcome = run_program("simulate '" + file_ + "' --galaxies 60 --figures '" + folder_ + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string text = contents(folder_ + "/metallicity.dat");
  EXPECT_THAT(outcome.out, HasSubstr(text.substr(text.find('\n') + 1)));
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  EXPECT_THAT(line, StartsWith("# simulated: simulated_survey 5: galaxies=60"));
  const std::vector<double> masses = label(file_, "log_mass"), metallicities = label(file_, "metallicity");
  int64_t bins = 0;
  while (std::getline(lines, line)) {
    if (line.front() == '#') continue;
    double middle = 0.0, low = 0.0, median = 0.0, high = 0.0, published = 0.0;
    size_t count = 0;
    std::istringstream(line) >> middle >> count >> low >> median >> high >> published;
    std::vector<double> here;
    for (size_t g = 0; g < masses.size(); ++g) {
      if (masses[g] >= middle - 0.125 && masses[g] < middle + 0.125)
        here.push_back(metallicities[g] - std::log10(0.02));
    }
    ASSERT_EQ(count, here.size()) << middle;
    std::ranges::sort(here);
    if (!here.empty()) {
      EXPECT_NEAR(median, 0.5 * (here[(here.size() - 1) / 2] + here[here.size() / 2]), 6e-4) << middle;
    }
    // Gallazzi et al. (2005), table 2: −0.61 at 9.11, −0.65 at 9.31; 0.04 at 10.72, 0.07 at 10.91.
    if (std::abs(middle - 9.125) < 1e-9) {
      EXPECT_NEAR(published, -0.61 - 0.04 * 0.015 / 0.20, 6e-4);
    }
    if (std::abs(middle - 10.875) < 1e-9) {
      EXPECT_NEAR(published, 0.04 + 0.03 * 0.155 / 0.19, 6e-4);
    }
    ++bins;
  }
  EXPECT_EQ(bins, 10);
  EXPECT_THAT(contents(folder_ + "/redshift.dat"), HasSubstr("\nk-NN(64) "));
  // Baldry et al. (2012) at 10.625: x = 0.9226, ln 10 e^−x (3.96e-3 x^0.65 + 0.79e-3 x^−0.47) = 4.190e-3, its logarithm
  // −2.378; Speagle et al. (2014) at 10.125 and 13.5 Gyr: 0.489 · 10.125 − 5.025 = −0.074; Garn & Best (2010)
  // at 10.125: 1.008 mag in Hα, 0.539 in starlight.
  const auto published_at = [&](const std::string& figure, double middle) {
    std::istringstream rows(contents(folder_ + "/" + figure + ".dat"));
    for (std::string row; std::getline(rows, row);) {
      double x = 0.0, value = std::nan("");
      std::string galaxies, low, of_bin, high;
      std::istringstream(row) >> x >> galaxies >> low >> of_bin >> high >> value;
      if (std::abs(x - middle) < 1e-9) return value;
    }
    return std::nan("");
  };
  EXPECT_NEAR(published_at("mass_function", 10.625), -2.378, 6e-4);
  EXPECT_NEAR(published_at("main_sequence", 10.125), -0.074, 6e-4);
  EXPECT_NEAR(published_at("dust", 10.125), 0.539, 6e-4);
  EXPECT_FALSE(fs::exists(folder_ + "/metallicity.png"));
}

TEST_F(Simulate, FiguresAreDrawnByGnuplot) {
  if (std::system("command -v gnuplot >/dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  const auto outcome = run_program("simulate '" + file_ + "' --galaxies 60 --figures '" + folder_ + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "simulating 60 galaxies into " + file_ + "\n");  // and not a word of gnuplot
  int64_t scripts = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".gp") continue;
    ++scripts;
    EXPECT_THAT(contents(fs::path(entry).replace_extension(".png")), StartsWith("\x89PNG\r\n")) << entry.path();
  }
  EXPECT_GE(scripts, 10);
}

TEST_F(Simulate, WritesTheSameFileAgainAndNearlyTheSameWithOtherInstructions) {
  ASSERT_EQ(run_program("simulate '" + file_ + "' --galaxies 40").status, 0);
  ASSERT_EQ(run_program("simulate '" + other_ + "' --galaxies 40").status, 0);
  EXPECT_EQ(contents(file_), contents(other_));
  fs::remove(other_);
  // The C library's functions without fused operations: their last digits may differ.
  const Environment old("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F,-AVX2_Usable,-FMA_Usable");
  ASSERT_EQ(run_program("simulate '" + other_ + "' --galaxies 40").status, 0);
  for (const char* name : {"redshift", "log_mass", "age", "mag_g", "mag_z", "smooth-or-featured_smooth_fraction"}) {
    const std::vector<double> here = label(file_, name), there = label(other_, name);
    ASSERT_EQ(here.size(), there.size());
    for (size_t g = 0; g < here.size(); ++g) EXPECT_NEAR(here[g], there[g], 1e-5) << name << ' ' << g;
  }
}

TEST_F(Simulate, WhatCannotBeDoneIsRefusedBeforeAnythingIsSimulated) {
  const auto refused = [&](const std::string& arguments, const std::string& message) {
    const auto outcome = run_program("simulate '" + file_ + "' " + arguments);
    EXPECT_NE(outcome.status, 0) << arguments;
    EXPECT_THAT(outcome.err, HasSubstr(message)) << arguments;
    EXPECT_FALSE(fs::exists(file_)) << arguments;
  };
  refused("--galaxies 5", "--galaxies: error: [simulate] 'galaxies' = 5 is outside 10..10000000");
  refused("--set simulated_noise.spectrum=nan", "'spectrum' = nan is outside 0..100");
  refused("--set bands=rg", "'bands' = \"rg\" is not one of");
  refused("--galaxies 12 --set galaxies=11", "--galaxies and --set galaxies contradict each other");
  refused("--set seed=2 --seed 2", "--seed and --set seed contradict each other");
  refused("--set file=b.h5", "OUTPUT.h5 is the file; --set has no 'file' here");
  refused("--set cache=/tmp", "OUTPUT.h5 is the file; --set has no 'cache' here");
  std::ofstream(folder_) << "a file\n";
  refused("--galaxies 12 --figures '" + folder_ + "'", folder_ + ": cannot create the folder: Not a directory");
}

/// The lock of a survey that is being simulated, as a process holds it.
astroclip::io::OutputFile lock_of(const std::string& file) {
  return {file + ".partial-lock", astroclip::io::OutputFile::Mode::append};
}

TEST_F(Simulate, AProcessWaitsForAnotherThatSimulatesTheSameSurvey) {
  const std::string command = "simulate '" + file_ + "' --galaxies 40";
  ASSERT_EQ(run_program("simulate '" + other_ + "' --galaxies 40").status, 0);
  astroclip::io::OutputFile lock = lock_of(file_);
  ASSERT_TRUE(lock.try_lock());
  auto waiting = std::async(std::launch::async, [&] { return run_program(command); });
  const std::string line = "waiting for another process that simulates " + file_ + "\n";
  while (waiting.wait_for(10ms) != std::future_status::ready && contents(scratch("stderr")) != line) {
  }
  // What the first process writes; the second would write the same survey into another node.
  fs::copy_file(other_, file_);
  struct stat written = {}, found = {};
  ASSERT_EQ(stat(file_.c_str(), &written), 0);
  lock.close();
  const auto outcome = waiting.get();
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, line);  // and nothing of simulating
  ASSERT_EQ(stat(file_.c_str(), &found), 0);
  EXPECT_EQ(found.st_ino, written.st_ino);
  EXPECT_FALSE(fs::exists(file_ + ".partial-lock"));
}

TEST_F(Simulate, AKilledProcessLeavesNoLock) {
  const pid_t killed = fork();
  if (killed == 0) {
    astroclip::io::OutputFile lock = lock_of(file_);
    if (lock.try_lock()) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(killed, &status, 0), killed);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(fs::exists(file_ + ".partial-lock"));
  const auto outcome = run_program("simulate '" + file_ + "' --galaxies 40");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "simulating 40 galaxies into " + file_ + "\n");
  EXPECT_FALSE(fs::exists(file_ + ".partial-lock"));
}

}  // namespace
