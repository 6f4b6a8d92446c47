#include <fmt/format.h>

#include "app/verbs.h"
#include "compare/run_listing.h"

namespace astroclip::app {

Verb runs_verb() {
  Verb verb{"runs",
            {"[FOLDER] [--sweeps] [--json]"},
            "list runs: how they stand, what they measured",
            "Lists the runs and sweeps in FOLDER, those that wrote last first: finished ones with what they measured, "
            "interrupted ones with the command that goes on, failed ones with the reason."};
  verb.positionals = {{"folder", "FOLDER", "of runs, or of one run or sweep (default: runs)"}};
  verb.options.add_options()("sweeps", "the runs of sweeps, too")("json", "all of it, for programs");
  verb.examples = {
      {"astroclip runs", "what became of everything in runs/"},
      {"astroclip runs runs/losses --sweeps", "each run of a sweep"},
      {"astroclip runs --json | jq '.[] | select(.state == \"failed\") | .problem'", "what went wrong, for a script"}};
  verb.run = [](const options::variables_map& values) {
    const std::string folder = values.contains("folder") ? values["folder"].as<std::string>() : "runs";
    const auto listed = compare::list_runs(folder);
    if (values.contains("json")) {
      fmt::print("{}", compare::to_json(listed));
    } else if (listed.empty()) {
      fmt::print("{}: no runs\n", folder);
    } else {
      fmt::print("{}", compare::to_text(listed, values.contains("sweeps")));
    }
    return 0;
  };
  return verb;
}

}  // namespace astroclip::app
