#include <fmt/format.h>

#include "app/verbs.h"
#include "compare/run_listing.h"

namespace astroclip::app {

Verb runs_verb() {
  return {.name = "runs",
          .usages = {"[FOLDER] [--sweeps] [--json]"},
          .meaning = "list runs with their state and main results",
          .description =
              "Lists the runs and sweeps in FOLDER, the most recently changed first: finished runs with their main "
              "results, interrupted runs with the command that resumes them, failed runs with the error.",
          .positionals = {Argument("folder", "FOLDER", "folder of runs, or a single run or sweep")
                              .by_default("runs")
                              .completed_by(Completes::folder)},
          .options = {Argument("sweeps", "", "list each run of a sweep, too"),
                      Argument("json", "", "print all details as JSON")},
          .examples = {{"astroclip runs", "lists everything in runs/"},
                       {"astroclip runs runs/losses --sweeps", "lists each run of a sweep"},
                       {"astroclip runs --json | jq '.[] | select(.state == \"failed\") | .problem'",
                        "prints the errors of failed runs"}},
          .run = [](const Values& values) {
            const auto listed = compare::list_runs(values.text("folder"));
            if (values.has("json")) {
              fmt::print("{}", compare::to_json(listed));
            } else if (listed.empty()) {
              fmt::print("{}: no runs\n", values.text("folder"));
            } else {
              fmt::print("{}", compare::to_text(listed, values.has("sweeps")));
            }
            return 0;
          }};
}

}  // namespace astroclip::app
