#include "sweep/sweep.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
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

}  // namespace

Outcome run(const Plan& plan, const std::string& path) {
  const SweepFolder folder(path);
  prepare(plan, folder);
  record::Console console;
  std::vector<std::string> failures;
  size_t number = 0, finished_before = 0;
  for (const PlannedRun& run : plan.runs) {
    const std::string head = fmt::format("[{}/{}] {}", ++number, plan.runs.size(), run.name);
    if (folder.state(run) == State::finished) {
      ++finished_before;
      continue;
    }
    console.say(fmt::format("\n{}", head));
    try {
      const auto run_folder = folder.open(run);
      const run::CachedResults cached{folder.ended_stages(plan, run), folder.tokens(), plan.token_cache_mb << 20};
      if (run::run(run.experiment, run_folder, cached) == run::Outcome::interrupted) {
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
