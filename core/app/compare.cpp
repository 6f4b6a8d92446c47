#include <fmt/format.h>

#include "app/verbs.h"
#include "compare/render.h"
#include "io/output/durable_file.h"

namespace astroclip::app {

namespace {

int compare(const Values& values) {
  size_t unfinished = 0;
  const auto runs = compare::read_runs(values.texts("run"), unfinished);
  const auto comparison = compare::compare(runs, {values.text("baseline"), values.texts("measure")});
  fmt::print("{}", compare::to_markdown(comparison));
  if (unfinished > 0) fmt::print("\nUnfinished runs are left out: {}\n", unfinished);
  const auto write = [&](const char* option, std::string (*render)(const compare::Comparison&)) {
    if (values.has(option)) io::write_text(values.text(option), render(comparison));
  };
  write("markdown", compare::to_markdown);
  write("latex", compare::to_latex);
  write("csv", compare::to_csv);
  return 0;
}

}  // namespace

Verb compare_verb() {
  return {
      .name = "compare",
      .usages = {"RUN… [--baseline NAME] [--measure PATTERN]…"},
      .meaning = "compare the metrics of runs, with errors over seeds",
      .description =
          "Prints a table of metrics of finished runs, alone or in sweeps. Runs that differ only in their seed are "
          "one configuration; the table shows the mean of each metric with its standard error. With a baseline, "
          "differences are paired by seed, with a 95 % bootstrap interval and a p-value corrected for the number of "
          "configurations.",
      .positionals =
          {Argument("run", "RUN", "folders of runs or sweeps").required().many().completed_by(Completes::folder)},
      .options = {Argument("baseline", "NAME", "configuration to compare against: \"loss=clip\", or \"clip\""),
                  Argument("measure", "PATTERN",
                           "only metrics whose name contains PATTERN, with * and ? as wildcards (default: the "
                           "first metric of each row of a report)")
                      .repeated(),
                  Argument("markdown", "FILE.md", "write the tables to a Markdown file").completed_by(Completes::file),
                  Argument("latex", "FILE.tex", "write the tables to a LaTeX file").completed_by(Completes::file),
                  Argument("csv", "FILE.csv", "write all numbers to a CSV file").completed_by(Completes::file)},
      .examples = {{"astroclip compare runs/losses --baseline clip", "compares a sweep's losses with one of them"},
                   {"astroclip compare runs/quickstart-1 runs/mine-1", "compares two runs"},
                   {"astroclip compare runs/losses --baseline clip --measure 'median rank' --latex table.tex",
                    "writes a table of one metric for a paper"}},
      .run = compare};
}

}  // namespace astroclip::app
