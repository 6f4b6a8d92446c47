#include "compare/measured_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "config/toml.h"
#include "evaluate/report.h"
#include "io/output/durable_file.h"
#include "record/run_folder.h"
#include "sweep/folder.h"

namespace astroclip::compare {

namespace fs = std::filesystem;

namespace {

/// "loss=clip,seed=1" without the part that names the seed.
std::string without_seed(const std::string& name) {
  std::istringstream text(name);
  std::string kept;
  for (std::string part; std::getline(text, part, ',');) {
    if (part.starts_with("seed=")) continue;
    if (!kept.empty()) kept += ',';
    kept += part;
  }
  return kept;
}

std::string label_of(const fs::path& run) {
  const std::string name = run.filename().string();
  if (!sweep::SweepFolder::holds_sweep(run.parent_path().string())) return name;
  const std::string label = without_seed(name);
  return label.empty() ? run.parent_path().filename().string() : label;
}

MeasuredRun read_run(const fs::path& path) {
  MeasuredRun run{path.string(), label_of(path), {}, 0, read_measures((path / "report.json").string())};
  config::Table resolved = config::parse_file((path / "resolved.toml").string());
  auto& general = *resolved.find("experiment")->get_if<config::Table>();
  run.seed = *general.find("seed")->get_if<int64_t>();
  general.erase("seed");
  run.configuration = config::to_toml(affecting_results(resolved));
  const std::string provenance = record::RunFolder::open(path.string()).provenance();
  if (fs::exists(provenance)) run.provenance = Provenance::parse(io::read_text(provenance), provenance);
  return run;
}

fs::path named(const std::string& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

void add_sweep(const fs::path& path, std::vector<std::string>& runs, size_t& left_out) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (fs::is_regular_file(entry.path() / "resolved.toml")) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  for (const fs::path& folder : folders) {
    if (fs::is_regular_file(folder / "report.json"))
      runs.push_back(folder.string());
    else
      ++left_out;
  }
}

}  // namespace

std::vector<evaluate::Measure> read_measures(const std::string& path) {
  std::vector<evaluate::Measure> all = evaluate::measures(evaluate::read_report(path));
  std::erase_if(all, [](const evaluate::Measure& measure) { return !measure.better; });
  return all;
}

std::vector<std::string> run_folders(const std::vector<std::string>& paths, size_t& left_out) {
  std::vector<std::string> runs;
  for (const std::string& text : paths) {
    const fs::path path = named(text);
    if (sweep::SweepFolder::holds_sweep(path.string())) {
      add_sweep(path, runs, left_out);
    } else if (!fs::is_regular_file(path / "resolved.toml")) {
      throw Error(fmt::format("{}: {}", text, fs::exists(path) ? "is neither a run nor a sweep" : "does not exist"));
    } else if (!fs::is_regular_file(path / "report.json")) {
      throw Error(fmt::format("{}: the run is not finished", text));
    } else {
      runs.push_back(path.string());
    }
  }
  return runs;
}

std::vector<MeasuredRun> read_runs(const std::vector<std::string>& paths, size_t& left_out) {
  std::vector<MeasuredRun> runs;
  for (const std::string& folder : run_folders(paths, left_out)) runs.push_back(read_run(folder));
  return runs;
}

}  // namespace astroclip::compare
