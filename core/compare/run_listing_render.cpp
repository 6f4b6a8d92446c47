#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/table.h"
#include "compare/run_listing.h"

namespace astroclip::compare {

namespace {

constexpr size_t results_of_a_line = 4;

std::time_t seconds_of(std::filesystem::file_time_type time) {
  return std::chrono::system_clock::to_time_t(std::chrono::file_clock::to_sys(time));
}

/// Local time to the minute.
std::string moment(std::filesystem::file_time_type time) {
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(seconds_of(time)));
}

std::string step_of(const ListedRun& run) {
  if (run.stage.empty()) return "no checkpoint yet";
  return run.steps > 0 ? fmt::format("{} {}/{}", run.stage, run.step, run.steps)
                       : fmt::format("{} {}", run.stage, run.step);
}

/// The state of a run in one line.
std::string message(const ListedRun& run) {
  if (!run.problem.empty()) return fmt::format("{}: {}", step_of(run), run.problem.substr(0, run.problem.find('\n')));
  if (run.state == RunState::running) return step_of(run);
  if (run.state == RunState::interrupted) {
    return fmt::format("{}; resume with: astroclip run --resume {}", step_of(run), run.path);
  }
  std::vector<std::string> words;
  for (const evaluate::Measure& one : run.results) {
    if (words.size() < results_of_a_line) words.push_back(fmt::format("{} {:.4g}", one.name, one.value));
  }
  if (run.results.size() > words.size()) words.emplace_back("…");
  return words.empty() ? "no results" : fmt::format("{}", fmt::join(words, " · "));
}

std::string summary(const Listed& sweep) {
  std::vector<std::string> words;
  const size_t all = std::max(sweep.planned, sweep.runs.size());
  words.push_back(fmt::format("{} of {} finished", sweep.count(RunState::finished), all));
  for (const RunState state : {RunState::running, RunState::failed, RunState::interrupted}) {
    if (const size_t count = sweep.count(state); count > 0)
      words.push_back(fmt::format("{} {}", count, name_of(state)));
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

nlohmann::ordered_json json_of(const ListedRun& run) {
  nlohmann::ordered_json results = nlohmann::ordered_json::object();
  for (const evaluate::Measure& one : run.results) {
    results[one.name] = std::isfinite(one.value) ? nlohmann::ordered_json(one.value) : nullptr;
  }
  return {{"path", run.path},
          {"state", name_of(run.state)},
          {"changed", seconds_of(run.changed)},
          {"stage", run.stage},
          {"step", run.step},
          {"steps", run.steps},
          {"problem", run.problem},
          {"results", results}};
}

}  // namespace

std::string to_text(const std::vector<Listed>& all, bool sweeps) {
  std::vector<TableRow> lines;
  for (const Listed& one : all) {
    if (one.is_sweep) {
      lines.push_back({one.path, "sweep", one.runs.empty() ? "" : moment(one.changed()), summary(one)});
    }
    if (one.is_sweep && !sweeps) continue;
    for (const ListedRun& run : one.runs) {
      const std::string name = one.is_sweep ? "  " + run.path.substr(run.path.rfind('/') + 1) : run.path;
      lines.push_back({name, name_of(run.state), moment(run.changed), message(run)});
    }
  }
  return format_table(lines, "");
}

std::string to_json(const std::vector<Listed>& all) {
  auto list = nlohmann::ordered_json::array();
  for (const Listed& one : all) {
    if (!one.is_sweep) {
      list.push_back(json_of(one.runs.front()));
      continue;
    }
    auto runs = nlohmann::ordered_json::array();
    for (const ListedRun& run : one.runs) runs.push_back(json_of(run));
    list.push_back({{"path", one.path}, {"planned", one.planned}, {"runs", runs}});
  }
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace astroclip::compare
