#include "bench/peer.h"

#include <fcntl.h>
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

std::string script_of(const std::string& package) {
  const std::filesystem::path program(boost::dll::program_location().string());
  return (program.parent_path().parent_path() / "share/astroclip/peers" /
          (package == "pytorch" ? "pytorch.py" : "search.py"))
      .string();
}

}  // namespace

struct Peer::Process {
  std::string package;
  process::opstream requests;
  process::ipstream answers;
  process::child child;
  std::vector<std::string> modes;

  std::string answer() {
    std::string line;
    if (std::getline(answers, line)) return line;
    throw Error(fmt::format("[bench] the process of {} ended; its output is above", package));
  }
};

Peer::Peer(const std::string& python, const std::string& package, const std::string& work, int64_t batch,
           Precision precision)
    : process_(std::make_unique<Process>()) {
  process_->package = package;
  const auto program = python.find('/') == std::string::npos ? process::search_path(python) : python;
  if (program.empty()) throw Error(fmt::format("[bench] there is no program '{}'", python));
  const std::vector<std::string> arguments = {script_of(package),
                                              "--package",
                                              package,
                                              "--work",
                                              work,
                                              "--batch",
                                              std::to_string(batch),
                                              "--precision",
                                              precision == Precision::bf16 ? "bf16" : "f32",
                                              "--threads",
                                              std::to_string(compute_threads())};
  // It is measured as its users run it: with their OpenMP settings, but not with this program's.
  process::environment environment = boost::this_process::environment();
  if (has_short_openmp_spinning()) environment.erase("GOMP_SPINCOUNT");
  try {
    process_->child = process::child(program, process::args(arguments), environment,
                                     (process::std_in < process_->requests), (process::std_out > process_->answers));
  } catch (const process::process_error& error) {
    throw Error(fmt::format("[bench] {}: cannot start: {}", program.string(), error.what()));
  }
  // A later peer must not inherit these ends: it would keep this one waiting for input after the destructor's close.
  for (const int end : {process_->requests.pipe().native_sink(), process_->answers.pipe().native_source()}) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  std::istringstream words(process_->answer());
  std::string word;
  words >> word;
  if (word != "ready") {
    throw Error(fmt::format("[bench] the process of {} printed '{}', expected 'ready'", package, words.str()));
  }
  while (words >> word) process_->modes.push_back(word);
}

Peer::~Peer() {
  process_->requests.pipe().close();  // the end of its input is the end of it
  std::error_code ignored;
  process_->child.wait(ignored);
}

const std::string& Peer::package() const { return process_->package; }
const std::vector<std::string>& Peer::modes() const { return process_->modes; }

double Peer::seconds(const std::string& mode) {
  process_->requests << mode << std::endl;
  return std::stod(process_->answer());
}

}  // namespace astroclip::bench
