#include "compare/run_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "config/toml.h"
#include "io/output/durable_file.h"
#include "record/checkpoint.h"
#include "record/metrics.h"
#include "sweep/folder.h"

namespace astroclip::compare {

namespace fs = std::filesystem;

namespace {

std::string last_line(const std::string& path) {
  std::istringstream text(io::read_text(path));
  std::string last;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

/// The error that ended the run, "" when none did.
std::string failure_in(const record::RunFolder& folder) {
  if (!fs::exists(folder.log())) return "";
  const std::string line = last_line(folder.log()), mark = record::failure_mark;
  return line.starts_with(mark) ? line.substr(mark.size()) : "";
}

RunState state_of(const record::RunFolder& folder, const std::string& failure) {
  if (record::RunLock::is_held(folder)) return RunState::running;
  if (fs::exists(folder.report_json())) return RunState::finished;
  return failure.empty() ? RunState::interrupted : RunState::failed;
}

fs::file_time_type last_change(const record::RunFolder& folder) {
  fs::file_time_type latest = fs::last_write_time(folder.resolved());
  for (const std::string& file : {folder.log(), folder.metrics(), folder.report_json()}) {
    if (fs::exists(file)) latest = std::max(latest, fs::last_write_time(file));
  }
  return latest;
}

/// Name and steps of each stage, as the resolved experiment has them.
std::vector<std::pair<std::string, int64_t>> stages_of(const record::RunFolder& folder) {
  std::vector<std::pair<std::string, int64_t>> stages;
  const config::Table resolved = config::parse_file(folder.resolved());
  const auto* list = resolved.find("stages");
  if (list == nullptr || list->get_if<config::Array>() == nullptr) return stages;
  for (const config::Value& value : *list->get_if<config::Array>()) {
    const auto* stage = value.get_if<config::Table>();
    const auto* name = stage == nullptr ? nullptr : stage->find("name");
    const auto* steps = stage == nullptr ? nullptr : stage->find("steps");
    if (name == nullptr || steps == nullptr || name->get_if<std::string>() == nullptr) break;
    stages.emplace_back(*name->get_if<std::string>(), steps->get_if<int64_t>() ? *steps->get_if<int64_t>() : 0);
  }
  return stages;
}

/// A run that somebody is at has come as far as its numbers; any other as far as its last checkpoint.
void find_step(const record::RunFolder& folder, ListedRun& run) {
  const auto stages = stages_of(folder);
  if (run.state == RunState::running) {
    record::read_metrics(folder.metrics(), [&](const record::MetricsLine& line) {
      run.stage = line.stage;
      run.step = line.step;
    });
  } else if (const auto latest = record::latest_checkpoint(folder.checkpoints())) {
    const record::Position& position = latest->position;
    if (position.stage >= static_cast<int64_t>(stages.size())) return;
    run.stage = stages[static_cast<size_t>(position.stage)].first;
    run.step = position.step;
  }
  const auto stage = std::ranges::find(stages, run.stage, &std::pair<std::string, int64_t>::first);
  if (stage != stages.end()) run.steps = stage->second;
}

ListedRun list_run(const std::string& path) {
  const auto folder = record::RunFolder::open(path);
  ListedRun run;
  run.path = path;
  run.changed = last_change(folder);
  try {
    const std::string failure = failure_in(folder);
    run.state = state_of(folder, failure);
    if (run.state == RunState::failed) run.problem = failure;
    find_step(folder, run);
    if (run.state == RunState::finished) run.results = read_measures(folder.report_json());
    std::erase_if(run.results, [](const evaluate::Measure& measure) { return !measure.is_first; });
  } catch (const std::exception& error) {
    run.problem = error.what();
  }
  return run;
}

/// The folders below that hold a run.
std::vector<ListedRun> runs_below(const std::string& folder) {
  std::vector<ListedRun> runs;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (fs::is_regular_file(entry.path() / "resolved.toml")) runs.push_back(list_run(entry.path().string()));
  }
  std::ranges::sort(runs, {}, &ListedRun::path);
  return runs;
}

size_t planned_runs(const std::string& file) {
  try {
    return sweep::read_plan(config::parse_file(file)).runs.size();
  } catch (const Error&) {  // of another version, or with plugins that are not here
    return 0;
  }
}

std::optional<Listed> list_one(const std::string& path) {
  if (sweep::SweepFolder::holds_sweep(path)) {
    return Listed{path, true, planned_runs(sweep::SweepFolder(path).file()), runs_below(path)};
  }
  if (fs::is_regular_file(path + "/resolved.toml")) return Listed{path, false, 1, {list_run(path)}};
  return std::nullopt;
}

}  // namespace

const char* name_of(RunState state) {
  switch (state) {
    case RunState::finished:
      return "finished";
    case RunState::running:
      return "running";
    case RunState::failed:
      return "failed";
    case RunState::interrupted:
      return "interrupted";
  }
  return "";
}

size_t Listed::count(RunState state) const {
  return static_cast<size_t>(std::ranges::count(runs, state, &ListedRun::state));
}

fs::file_time_type Listed::changed() const {
  fs::file_time_type latest = fs::file_time_type::min();
  for (const ListedRun& run : runs) latest = std::max(latest, run.changed);
  return latest;
}

std::vector<Listed> list_runs(const std::string& folder) {
  if (!fs::is_directory(folder)) throw Error(fmt::format("{}: not a folder", folder));
  const fs::path whole = fs::path(folder).lexically_normal();
  const std::string path = (whole.has_filename() ? whole : whole.parent_path()).string();
  if (auto itself = list_one(path)) return {*itself};
  std::vector<Listed> all;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (!entry.is_directory()) continue;
    if (auto one = list_one(entry.path().string())) all.push_back(std::move(*one));
  }
  std::ranges::sort(all, [](const Listed& a, const Listed& b) {
    return a.changed() != b.changed() ? a.changed() > b.changed() : a.path < b.path;
  });
  return all;
}

}  // namespace astroclip::compare
