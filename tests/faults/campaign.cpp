// Injects one fault into a write of a run, a sweep, an embedding or a simulation. Then checks that the files left
// behind are readable, that the same command completes, and that its result equals an undisturbed one, bit for bit. The
// faults are spread evenly over all operations.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "base/rng.h"
#include "faults/comparison.h"
#include "faults/process.h"
#include "io/output/durable_file.h"

namespace astroclip::faults {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kinds = {"eio", "enospc", "short", "kill", "torn"};

/// A command of the program, and its share of the campaign.
struct Work {
  std::string name;
  double share;
  std::vector<std::string> arguments;  ///< "@" is replaced by the output folder
  std::string shared_stage = "";       ///< a stage that any of its runs may have trained
  std::string ends_with = "";          ///< a file that exists when the command is complete and must not be repeated
};

std::vector<Work> works(const std::string& scratch) {
  const std::string survey = "dataset.cache=" + scratch + "/cache";
  const std::string model = scratch + "/reference/run/result/model.safetensors", galaxies = scratch + "/galaxies.h5";
  return {
      {"run", 0.45, {"run", FAULTS_FOLDER "/tiny.toml", "--set", survey, "--output", "@/result"}},
      {"sweep", 0.3, {"run", scratch + "/sweep.toml", "--set", survey, "--output", "@/result"}, "spectrum-pretraining"},
      {"embed",
       0.15,
       {"embed", "--model", model, "--input", galaxies, "--output", "@/embeddings.h5", "--batch", "2", "--threads",
        "1"}},
      {"simulate", 0.1, {"simulate", "@/galaxies.h5", "--galaxies", "24"}, "", "@/galaxies.h5"}};
}

std::string in_folder(std::string text, const std::string& folder) {
  return text.starts_with("@") ? folder + text.substr(1) : text;
}

struct Fault {
  size_t operation = 0;  ///< from 1
  std::string kind;
};

struct Operation {
  std::string name, file;
};

/// How the disturbed process ended.
std::string fate_of(const Ending& ending) {
  if (ending.signal == SIGKILL) return "killed";
  if (ending.status == 1 && ending.output.find(": error: ") != std::string::npos) return "error";
  if (ending.status == 1 && ending.output.find("failed: ") != std::string::npos) return "error";
  if (ending.status == 0) return "unharmed";
  return "crashed";
}

class Campaign {
 public:
  Campaign(std::string scratch, bool keep) : scratch_(std::move(scratch)), keep_(keep) {
    io::make_folder(scratch_);
    io::write_text(scratch_ + "/sweep.toml", io::read_text(FAULTS_FOLDER "/tiny.toml") +
                                                 "\n[sweep.cross]\n\"stages.alignment.loss\" = "
                                                 "[{ plugin = \"clip\" }, { plugin = \"siglip\" }]\n");
    expect_success(run_process({FAULTS_PROGRAM, "simulate", scratch_ + "/galaxies.h5", "--galaxies", "48"}, {}));
  }
  ~Campaign() {
    if (!keep_) fs::remove_all(scratch_);
  }
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  /// Returns whether nothing was lost.
  bool run(size_t count, int64_t seed) {
    Rng rng(static_cast<uint64_t>(seed), RngStream::tests);
    for (const Work& work : works(scratch_)) {
      const std::vector<Operation> operations = operations_of(work);
      const auto faults = static_cast<size_t>(work.share * static_cast<double>(count) + 0.5);
      fmt::print("{}: {} operations, {} faults\n", work.name, operations.size(), faults);
      for (size_t i = 0; i < faults; ++i) {
        // One random operation from each of equal parts.
        const size_t begin = operations.size() * i / faults, end = operations.size() * (i + 1) / faults;
        const size_t at = begin + rng.below(std::max<size_t>(1, end - begin));
        disturb(work, {at + 1, kinds[rng.below(kinds.size())]}, operations[at]);
        std::fflush(stdout);
      }
    }
    print_tally();
    return lost_ + differing_ == 0;
  }

 private:
  static void expect_success(const Ending& ending) {
    if (ending.status != 0) throw std::runtime_error("undisturbed, it fails: " + ending.output);
  }

  static std::vector<std::string> command_of(const Work& work, const std::string& folder) {
    std::vector<std::string> command = {FAULTS_PROGRAM};
    for (const std::string& word : work.arguments) command.push_back(in_folder(word, folder));
    return command;
  }

  std::string reference_of(const Work& work) const { return scratch_ + "/reference/" + work.name; }

  /// Makes the reference result, and a second one under the shim without faults, which must be equal.
  std::vector<Operation> operations_of(const Work& work) {
    const std::string log = scratch_ + "/operations", folder = scratch_ + "/counted";
    io::make_folder(reference_of(work));
    expect_success(run_process(command_of(work, reference_of(work)), {}));
    io::make_folder(folder);
    expect_success(run_process(command_of(work, folder),
                               {"LD_PRELOAD=" FAULTS_SHIM, "FAULT_FOLDER=" + folder, "FAULT_LOG=" + log}));
    const auto differing = differences(reference_of(work), folder, work.shared_stage);
    if (!differing.empty()) throw std::runtime_error("undisturbed, it does not repeat itself: " + differing[0]);
    std::vector<Operation> operations;
    std::istringstream lines(io::read_text(log));
    for (Operation one; lines >> one.name >> one.file;) operations.push_back(one);
    fs::remove_all(folder);
    fs::remove(log);
    return operations;
  }

  void disturb(const Work& work, const Fault& fault, const Operation& operation) {
    const std::string folder = fmt::format("{}/{}-{}-{}", scratch_, work.name, fault.operation, fault.kind);
    io::make_folder(folder);
    const Ending ending = run_process(command_of(work, folder),
                                      {"LD_PRELOAD=" FAULTS_SHIM, "FAULT_FOLDER=" + folder,
                                       fmt::format("FAULT_AT={}", fault.operation), "FAULT_KIND=" + fault.kind});
    const std::string fate = fate_of(ending);
    std::vector<std::string> lost = unreadable_files(folder), differing;
    if (fate == "crashed") {
      lost.push_back(fmt::format("ended with status {}, signal {}: {}", ending.status, ending.signal, ending.output));
    }
    go_on(work, folder, lost);
    if (lost.empty()) differing = differences(reference_of(work), folder, work.shared_stage);
    ++tally_[fault.kind][fate];
    lost_ += lost.empty() ? 0 : 1;
    differing_ += differing.empty() ? 0 : 1;
    const std::string what = fmt::format("{}: {} at operation {}, {} of {}", work.name, fault.kind, fault.operation,
                                         operation.name, fs::path(operation.file).filename().string());
    for (const std::string& line : lost) fmt::print("LOST {}: {}\n", what, line);
    for (const std::string& line : differing) fmt::print("DIFFERS {}: {}\n", what, line);
    if (!keep_ || (lost.empty() && differing.empty())) fs::remove_all(folder);
  }

  /// Repeats the command as a user would: `--resume` if the run has a folder, otherwise the same command.
  static void go_on(const Work& work, const std::string& folder, std::vector<std::string>& lost) {
    if (!work.ends_with.empty() && fs::exists(in_folder(work.ends_with, folder))) return;
    std::vector<std::string> command = command_of(work, folder);
    if (work.name == "run" && fs::exists(folder + "/result/resolved.toml")) {
      command = {FAULTS_PROGRAM, "run", "--resume", folder + "/result"};
    }
    const Ending ending = run_process(command, {});
    if (ending.status != 0) lost.push_back("cannot be resumed: " + ending.output);
  }

  void print_tally() const {
    const std::vector<std::string> fates = {"killed", "error", "unharmed", "crashed"};
    fmt::print("\n{:8}", "fault");
    for (const auto& fate : fates) fmt::print("{:>10}", fate);
    size_t all = 0;
    for (const auto& kind : kinds) {
      fmt::print("\n{:8}", kind);
      for (const auto& fate : fates) {
        const auto row = tally_.find(kind);
        const size_t count = row != tally_.end() && row->second.contains(fate) ? row->second.at(fate) : 0;
        fmt::print("{:10}", count);
        all += count;
      }
    }
    fmt::print("\n\n{} faults: {} lost, {} with differing bits\n", all, lost_, differing_);
  }

  std::string scratch_;
  bool keep_;
  std::map<std::string, std::map<std::string, size_t>> tally_;  ///< by kind and fate
  size_t lost_ = 0, differing_ = 0;
};

int campaign(int argc, char** argv) {
  namespace options = boost::program_options;
  options::options_description all("fault_campaign: injects faults into the writes of runs and checks the results");
  all.add_options()("help", "print this")("count", options::value<size_t>()->default_value(200), "number of faults")(
      "seed", options::value<int64_t>()->default_value(1), "seed of the choice of faults")(
      "folder", options::value<std::string>(), "work in this new folder, and keep the lost results");
  options::variables_map values;
  options::store(options::parse_command_line(argc, argv, all), values);
  if (values.contains("help")) return std::cout << all, 0;
  const bool keep = values.contains("folder");
  const std::string folder = keep ? fs::absolute(values["folder"].as<std::string>()).string()
                                  : (fs::temp_directory_path() / fmt::format("fault_campaign_{}", getpid())).string();
  Campaign runs(folder, keep);
  return runs.run(values["count"].as<size_t>(), values["seed"].as<int64_t>()) ? 0 : 1;
}

}  // namespace
}  // namespace astroclip::faults

int main(int argc, char** argv) {
  setenv("PATH", "/nonexistent", 1);  // so that the faults are those of the program, and not of gnuplot
  try {
    return astroclip::faults::campaign(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "fault_campaign: error: {}\n", error.what());
    return 2;
  }
}
