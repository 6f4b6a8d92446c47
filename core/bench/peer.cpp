#include "bench/pytorch_peer.h"

#include <fmt/format.h>

#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/process.hpp>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/openmp_start.h"
#include "base/threads.h"

namespace astroclip::bench {

namespace {

namespace process = boost::process;

std::string script() {
  const std::filesystem::path program(boost::dll::program_location().string());
  return (program.parent_path().parent_path() / "share/astroclip/pytorch/bench.py").string();
}

}  // namespace

struct PytorchPeer::Process {
  process::opstream requests;
  process::ipstream answers;
  process::child child;
  std::vector<std::string> modes;

  std::string answer() {
    std::string line;
    if (std::getline(answers, line)) return line;
    throw Error("[bench] the PyTorch process ended; its output is above");
  }
};

PytorchPeer::PytorchPeer(const std::string& python, const std::string& work, int64_t batch, Precision precision)
    : process_(std::make_unique<Process>()) {
  const auto program = python.find('/') == std::string::npos ? process::search_path(python) : python;
  if (program.empty()) throw Error(fmt::format("[bench] there is no program '{}'", python));
  const std::vector<std::string> arguments = {script(),
                                              "--work",
                                              work,
                                              "--batch",
                                              std::to_string(batch),
                                              "--precision",
                                              precision == Precision::bf16 ? "bf16" : "f32",
                                              "--threads",
                                              std::to_string(compute_threads())};
  // PyTorch is measured as its users run it: with their OpenMP settings, but not with this program's.
  process::environment environment = boost::this_process::environment();
  if (has_short_openmp_spinning()) environment.erase("GOMP_SPINCOUNT");
  try {
    process_->child = process::child(program, process::args(arguments), environment,
                                     (process::std_in < process_->requests), (process::std_out > process_->answers));
  } catch (const process::process_error& error) {
    throw Error(fmt::format("[bench] {}: cannot start: {}", program.string(), error.what()));
  }
  std::istringstream words(process_->answer());
  std::string word;
  words >> word;
  if (word != "ready")
    throw Error(fmt::format("[bench] the PyTorch process printed '{}', expected 'ready'", words.str()));
  while (words >> word) process_->modes.push_back(word);
}

PytorchPeer::~PytorchPeer() {
  process_->requests.pipe().close();  // the end of its input is the end of it
  std::error_code ignored;
  process_->child.wait(ignored);
}

const std::vector<std::string>& PytorchPeer::modes() const { return process_->modes; }

double PytorchPeer::seconds(const std::string& mode) {
  process_->requests << mode << std::endl;
  return std::stod(process_->answer());
}

}  // namespace astroclip::bench
