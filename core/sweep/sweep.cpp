#include "sweep/sweep.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/fingerprint.h"
#include "io/output/durable_file.h"
#include "record/console.h"
#include "run/run.h"
#include "sweep/folder.h"

namespace astroclip::sweep {

namespace {

void prepare(const Plan& plan, const SweepFolder& folder) {
  if (std::filesystem::exists(folder.path() + "/resolved.toml")) {
    throw Error(fmt::format("{}: is the folder of a run; a sweep needs its own folder", folder.path()));
  }
  for (const PlannedRun& run : plan.runs) (void)folder.state(run);
  io::make_folder(folder.path());
  io::write_text(folder.file(), plan.text);
}

/// New runs must be comparable with finished ones. What was begun is compared when it is resumed.
void compare_finished(const Plan& plan, const SweepFolder& folder, Rebuilt rebuilt, record::Console& console) {
  std::vector<const PlannedRun*> finished;
  for (const PlannedRun& run : plan.runs) {
    if (folder.state(run) == State::finished) finished.push_back(&run);
  }
  if (finished.size() == plan.runs.size()) return;
  std::map<std::string, std::pair<config::Table, std::vector<std::string>>> datasets;  // fingerprints and files
  for (const PlannedRun* run : finished) {
    auto& [dataset, files] = datasets[config::to_toml(run->experiment.dataset.parameters)];
    if (dataset.empty()) {
      const auto objects = run->experiment.dataset.make();
      dataset = fingerprint(*objects);
      files = objects->files();
    }
    const auto own = record::RunFolder::open(folder.run(*run));
    const std::string text = std::filesystem::exists(own.provenance()) ? io::read_text(own.provenance()) : "";
    Provenance now = provenance_of(run->experiment, dataset);
    now.dataset_files = files;
    const std::string accepted = check_unchanged(Provenance::parse(text, own.provenance()), now, own.path(), rebuilt);
    if (!accepted.empty()) console.say(accepted);
  }
}

}  // namespace

Outcome run(const Plan& plan, const std::string& path, Rebuilt rebuilt) {
  const SweepFolder folder(path);
  prepare(plan, folder);
  record::Console console;
  compare_finished(plan, folder, rebuilt, console);
  std::vector<std::string> failures;
  size_t number = 0, finished_before = 0;
  for (const PlannedRun& run : plan.runs) {
    const std::string head = fmt::format("[{}/{}] {}", ++number, plan.runs.size(), run.name);
    if (folder.state(run) == State::finished) {
      ++finished_before;
      run::complete_page(folder.open(run), console);
      continue;
    }
    console.say(fmt::format("\n{}", head));
    try {
      const auto run_folder = folder.open(run);
      const run::CachedResults cached{folder.ended_stages(plan, run), folder.tokens(), plan.token_cache_mb << 20};
      if (run::run(run.experiment, run_folder, cached, rebuilt) == run::Outcome::interrupted) {
        console.say(fmt::format("stopped; resume with: astroclip run --resume {}", path));
        return Outcome::interrupted;
      }
    } catch (const std::exception& error) {
      failures.push_back(fmt::format("{}: {}", run.name, error.what()));
      console.say(fmt::format("failed: {}", error.what()));
    }
  }
  console.say(fmt::format("\n{}: {} runs, {} already finished, {} failed", path, plan.runs.size(), finished_before,
                          failures.size()));
  for (const std::string& failure : failures) fmt::print(stderr, "  {}\n", failure);
  return failures.empty() ? Outcome::finished : Outcome::failed;
}

}  // namespace astroclip::sweep
