#include "bench/peer.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/process.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/openmp_start.h"
#include "base/threads.h"
#include "experiment/precision.h"

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

/// Python with a package's script. It ends with its input.
class PeerScript {
 public:
  PeerScript(const std::string& python, const std::string& package, std::vector<std::string> arguments) {
    const auto program = python.find('/') == std::string::npos ? process::search_path(python) : python;
    if (program.empty()) throw Error(fmt::format("[bench] there is no program '{}'", python));
    arguments.insert(arguments.begin(), {script_of(package), "--package", package});
    arguments.insert(arguments.end(), {"--threads", std::to_string(compute_threads())});
    // It is measured as its users run it: with their OpenMP settings, but not with this program's.
    process::environment environment = boost::this_process::environment();
    if (has_short_openmp_spinning()) environment.erase("GOMP_SPINCOUNT");
    try {
      child_ = process::child(program, process::args(arguments), environment, (process::std_in < requests_),
                              (process::std_out > answers_));
    } catch (const process::process_error& error) {
      throw Error(fmt::format("[bench] {}: cannot start: {}", program.string(), error.what()));
    }
    // A later script must not inherit these ends: it would keep this one waiting for input after the destructor's
    // close.
    for (const int end : {requests_.pipe().native_sink(), answers_.pipe().native_source()}) {
      fcntl(end, F_SETFD, FD_CLOEXEC);
    }
  }
  ~PeerScript() {
    requests_.pipe().close();
    std::error_code ignored;
    child_.wait(ignored);
  }
  PeerScript(const PeerScript&) = delete;
  PeerScript& operator=(const PeerScript&) = delete;

  void ask(const std::string& line) { requests_ << line << std::endl; }
  /// The next line of its output; none when it has ended.
  std::optional<std::string> answer() {
    std::string line;
    return std::getline(answers_, line) ? std::optional(line) : std::nullopt;
  }

 private:
  process::opstream requests_;
  process::ipstream answers_;
  process::child child_;
};

struct Peer::Process {
  std::string package;
  PeerScript script;
  std::vector<std::string> modes = {};

  std::string answer() {
    if (auto line = script.answer()) return *line;
    throw Error(fmt::format("[bench] the process of {} ended; its output is above", package));
  }
};

Peer::Peer(const std::string& python, const std::string& package, const std::string& work, int64_t batch,
           const Settings& settings) {
  std::vector<std::string> arguments = {"--precision", name_of(settings.precision), "--work", work,
                                        "--batch",     std::to_string(batch)};
  if (settings.small) arguments.emplace_back("--small");
  process_.reset(new Process{package, {python, package, std::move(arguments)}});
  std::istringstream words(process_->answer());
  std::string word;
  words >> word;
  if (word != "ready") {
    throw Error(fmt::format("[bench] the process of {} printed '{}', expected 'ready'", package, words.str()));
  }
  while (words >> word) process_->modes.push_back(word);
}

Peer::~Peer() = default;
const std::string& Peer::package() const { return process_->package; }
const std::vector<std::string>& Peer::modes() const { return process_->modes; }

double Peer::seconds(const std::string& mode) {
  process_->script.ask(mode);
  return std::stod(process_->answer());
}

struct CardPeer::Process {
  PeerScript script;
};

CardPeer::CardPeer(std::string python, const Settings& settings, Options options)
    : python_(std::move(python)), settings_(settings), options_(std::move(options)) {}

CardPeer::~CardPeer() = default;

std::vector<CardPeer::Result> CardPeer::measure(const std::string& work, int64_t batch) {
  if (!process_) {
    std::vector<std::string> arguments = {"--precision",    name_of(settings_.precision),
                                          "--device",       settings_.device.str(),
                                          "--seconds",      fmt::format("{}", settings_.seconds),
                                          "--limit",        fmt::format("{}", options_.limit),
                                          "--compile-mode", options_.compile_mode};
    if (settings_.small) arguments.emplace_back("--small");
    process_.reset(new Process{{python_, "pytorch", std::move(arguments)}});
  }
  process_->script.ask(nlohmann::json{{"work", work}, {"batch", batch}}.dump());
  std::vector<Result> results;
  while (const auto line = process_->script.answer()) {
    const auto answer = nlohmann::json::parse(*line, nullptr, false);
    if (!answer.is_object()) continue;  // what libraries print
    if (answer.contains("done")) return results;
    results.push_back({answer.value("mode", ""), answer.value("seconds", 0.0), answer.value("first", 0.0),
                       answer.value("memory", 0.0), answer.value("error", "")});
  }
  process_.reset();
  if (results.empty() || results.back().error.empty()) {
    results.push_back({.mode = "", .error = "the process ended; its output is above"});
  }
  return results;
}

}  // namespace astroclip::bench
