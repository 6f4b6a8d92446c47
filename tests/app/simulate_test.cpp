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

/// A line of a figure's table.
struct FigureRow {
  double x;
  size_t galaxies;
  double low, median, high;
  std::vector<double> published;
};
std::vector<FigureRow> rows_of(const std::string& table) {
  std::vector<FigureRow> rows;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    if (line.front() == '#') continue;
    std::istringstream words(line);
    FigureRow& row = rows.emplace_back();
    std::string low, median, high, published;
    words >> row.x >> row.galaxies >> low >> median >> high;
    row.low = std::stod(low), row.median = std::stod(median), row.high = std::stod(high);
    while (words >> published) row.published.push_back(std::stod(published));
  }
  return rows;
}

TEST_F(Simulate, FiguresAreNumbersBesideThePublishedOnesWhereThereIsNoGnuplot) {
  const Environment nowhere("PATH", "/nonexistent");
  const auto outcome = run_program("simulate '" + file_ + "' --galaxies 60 --figures '" + folder_ + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto table = [&](const std::string& figure) { return contents(folder_ + "/" + figure + ".dat"); };
  EXPECT_THAT(table("metallicity"), StartsWith("# simulated: simulated_survey 6: galaxies=60"));
  EXPECT_THAT(outcome.out, HasSubstr(table("metallicity").substr(table("metallicity").find('\n') + 1)));
  EXPECT_THAT(table("redshift"), HasSubstr("\nk-NN(64) "));
  EXPECT_FALSE(fs::exists(folder_ + "/metallicity.png"));

  const std::vector<double> masses = label(file_, "log_mass"), redshifts = label(file_, "redshift");
  const std::vector<double> quenched = label(file_, "quenched");
  const auto expect_medians = [&](const std::string& figure, const std::vector<double>& values, double kind) {
    const std::vector<FigureRow> rows = rows_of(table(figure));
    EXPECT_EQ(rows.size(), 10U) << figure;
    for (const FigureRow& row : rows) {
      std::vector<double> here;
      for (size_t g = 0; g < masses.size(); ++g) {
        const bool is_shown = std::isnan(kind) || quenched[g] == kind;
        if (is_shown && masses[g] >= row.x - 0.125 && masses[g] < row.x + 0.125) here.push_back(values[g]);
      }
      ASSERT_EQ(row.galaxies, here.size()) << figure << ' ' << row.x;
      if (here.empty()) continue;
      std::ranges::sort(here);
      EXPECT_NEAR(row.median, 0.5 * (here[(here.size() - 1) / 2] + here[here.size() / 2]), 6e-4)
          << figure << ' ' << row.x;
    }
  };
  std::vector<double> metallicities = label(file_, "metallicity"), sizes = label(file_, "half_light_radius");
  std::vector<double> dispersions = label(file_, "velocity_dispersion");
  for (size_t g = 0; g < masses.size(); ++g) {
    metallicities[g] -= std::log10(0.02);
    dispersions[g] = std::log10(dispersions[g]);
    // Of a second of arc: by Simpson's rule, of 1/E(z) in the flat universe of H0 = 70 and Ωm = 0.3.
    const auto inverse = [](double z) { return 1.0 / std::sqrt(0.3 * std::pow(1.0 + z, 3) + 0.7); };
    const double z = redshifts[g];
    double distance = inverse(0.0) + inverse(z);
    for (int i = 1; i < 20; ++i) distance += (i % 2 == 1 ? 4.0 : 2.0) * inverse(0.05 * i * z);
    distance *= 299792.458 / 70.0 * z / 60.0;
    sizes[g] = std::log10(sizes[g] * 1e3 * distance / (1.0 + z) / 206264.806);
  }
  expect_medians("metallicity", metallicities, std::nan(""));
  expect_medians("size_star_forming", sizes, 0.0);
  expect_medians("size_quenched", sizes, 1.0);
  expect_medians("velocity_dispersion", dispersions, 1.0);
  expect_medians("gas_metallicity", label(file_, "gas_metallicity"), 0.0);

  const auto published_at = [&](const std::string& figure, double x, size_t which = 0) {
    for (const FigureRow& row : rows_of(table(figure))) {
      if (std::abs(row.x - x) < 1e-9) return row.published.at(which);
    }
    return std::nan("");
  };
  // Gallazzi et al. (2005), table 2: −0.61 at 9.11, −0.65 at 9.31; 0.04 at 10.72, 0.07 at 10.91.
  EXPECT_NEAR(published_at("metallicity", 9.125), -0.61 - 0.04 * 0.015 / 0.20, 6e-4);
  EXPECT_NEAR(published_at("metallicity", 10.875), 0.04 + 0.03 * 0.155 / 0.19, 6e-4);
  // Baldry et al. (2012) at 10.625: x = 0.9226, ln 10 e^−x (3.96e-3 x^0.65 + 0.79e-3 x^−0.47) = 4.190e-3, its logarithm
  // −2.378; Speagle et al. (2014) at 10.125 and 13.5 Gyr: 0.489 · 10.125 − 5.025 = −0.074; Garn & Best (2010)
  // at 10.125: 1.008 mag in Hα, 0.539 in starlight.
  EXPECT_NEAR(published_at("mass_function", 10.625), -2.378, 6e-4);
  EXPECT_NEAR(published_at("main_sequence", 10.125), -0.074, 6e-4);
  EXPECT_NEAR(published_at("dust", 10.125), 0.539, 6e-4);
  // Kewley & Ellison (2008) at 10.125: 32.1488 − 86.1899 + 100.0946 − 37.3423 = 8.7112.
  EXPECT_NEAR(published_at("gas_metallicity", 10.125), 8.711, 6e-4);
  EXPECT_TRUE(std::isnan(published_at("gas_metallicity", 11.125)));
  // Van der Wel et al. (2014) for z = 0.25, 10.625 and 11.125 being −0.074 and 0.426 from 5e10: 0.86 − 0.25 · 0.074 and
  // 0.60 + 0.75 · 0.426, and nothing below 3e9 and 2e10. Shen et al. (2003) at 10.625: 0.1 · 10^1.4875 · 2.0595^0.25 =
  // 3.681 kpc over √0.6; at 11.125: 2.88e-6 · 10^6.23 = 4.891 kpc over √0.775.
  EXPECT_NEAR(published_at("size_star_forming", 10.625), 0.8415, 6e-4);
  EXPECT_NEAR(published_at("size_star_forming", 10.625, 1), std::log10(3.681 / std::sqrt(0.6)), 6e-4);
  EXPECT_NEAR(published_at("size_quenched", 11.125), 0.9195, 6e-4);
  EXPECT_NEAR(published_at("size_quenched", 11.125, 1), std::log10(4.891 / std::sqrt(0.775)), 6e-4);
  EXPECT_TRUE(std::isnan(published_at("size_star_forming", 9.375)));
  EXPECT_TRUE(std::isnan(published_at("size_quenched", 10.125)));
  // Zahid et al. (2016): 118.3 km/s at 10.26, and slopes of 0.403 and 0.293. Hyde & Bernardi (2009) at −21.75: −2.97 +
  // 8.0475 − 2.8384.
  EXPECT_NEAR(published_at("velocity_dispersion", 9.375), 2.0730 - 0.403 * 0.885, 6e-4);
  EXPECT_NEAR(published_at("velocity_dispersion", 10.625), 2.0730 + 0.293 * 0.365, 6e-4);
  EXPECT_NEAR(published_at("faber_jackson", -21.75), 2.2391, 6e-4);
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
  EXPECT_EQ(scripts, 21);
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
