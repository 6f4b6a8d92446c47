#include "report/report.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/verbs.h"
#include "compare/measured_run.h"

namespace astroclip::app {

namespace {

int report(const Values& values) {
  const std::vector<std::string> named = values.texts("run");
  if (named.size() > 1 && !values.has("output")) throw UsageError("a report of several runs needs --output DIR");
  const std::string folder = values.has("output") ? values.text("output") : named.front() + "/report";
  size_t unfinished = 0;
  const auto runs = report::read_results(compare::run_folders(named, unfinished));
  if (runs.empty()) throw Error(fmt::format("{}: no run of the sweep is finished", named.front()));
  report::write_report(runs, folder);
  fmt::print("{}/index.html\n", folder);
  if (unfinished > 0) fmt::print("Unfinished runs are left out: {}\n", unfinished);
  return 0;
}

}  // namespace

Verb report_verb() {
  return {.name = "report",
          .usages = {"RUN… [--output DIR]"},
          .meaning = "write a page of tables and figures of runs",
          .description =
              "Writes the page that a run ends with anew, or one of several runs side by side: index.html, which holds "
              "everything and asks for nothing from the network, its tables as CSV, LaTeX and JSON, and scripts and "
              "numbers of its figures, which gnuplot draws where it is installed. The same runs give the same bytes.",
          .positionals =
              {Argument("run", "RUN", "folders of runs or sweeps").required().many().completed_by(Completes::folder)},
          .options = {Argument("output", "DIR", "folder to write to (default, of one run or sweep: RUN/report)")
                          .completed_by(Completes::folder)},
          .examples = {{"astroclip report runs/quickstart-1", "writes runs/quickstart-1/report/index.html"},
                       {"astroclip report runs/quickstart-1 runs/mine-1 --output both", "puts two runs side by side"}},
          .run = report};
}

}  // namespace astroclip::app
