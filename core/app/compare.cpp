#include <fmt/format.h>

#include "app/verbs.h"
#include "compare/render.h"
#include "io/output/durable_file.h"

namespace astroclip::app {

namespace {

int compare(const options::variables_map& values) {
  if (!values.contains("run")) throw UsageError("compare needs the folders of runs or sweeps");
  compare::Request request;
  if (values.contains("baseline")) request.baseline = values["baseline"].as<std::string>();
  request.patterns = texts_of(values, "measure");
  size_t left_out = 0;
  const auto comparison = compare::compare(compare::read_runs(texts_of(values, "run"), left_out), request);
  fmt::print("{}", compare::to_markdown(comparison));
  if (left_out > 0) fmt::print("\n{} unfinished runs are left out.\n", left_out);
  const auto write = [&](const char* option, std::string (*render)(const compare::Comparison&)) {
    if (values.contains(option)) io::write_text(values[option].as<std::string>(), render(comparison));
  };
  write("markdown", compare::to_markdown);
  write("latex", compare::to_latex);
  write("csv", compare::to_csv);
  return 0;
}

}  // namespace

Verb compare_verb() {
  Verb verb{
      "compare",
      {"RUN… [--baseline NAME] [--measure PATTERN]…"},
      "one table of runs: errors over seeds, differences from a baseline",
      "Compares finished runs, and those of sweeps. Runs that differ in their seed alone are one configuration: its "
      "measures are means with standard errors. With a baseline, differences from it are paired by seed, with a "
      "bootstrap interval of 95 % and a significance that is corrected for the number of configurations."};
  verb.positionals = {{"run", "RUN", "folders of runs and of sweeps", true}};
  verb.options.add_options()                                                                             //
      ("baseline", text("NAME"), "configuration that differences are from: \"loss=clip\", or \"clip\"")  //
      ("measure", texts("PATTERN"),
       "measures with this in their name, * and ? allowed; may be repeated (default: the first of each line)")  //
      ("markdown", text("FILE.md"), "write the tables to a Markdown file")                                      //
      ("latex", text("FILE.tex"), "write them to a LaTeX file")                                                 //
      ("csv", text("FILE.csv"), "write every number to a CSV file");
  verb.examples = {{"astroclip compare runs/losses --baseline clip", "a sweep's losses against one of them"},
                   {"astroclip compare runs/quickstart-1 runs/mine-1", "two runs side by side"},
                   {"astroclip compare runs/losses --baseline clip --measure 'median rank' --latex table.tex",
                    "the lines of one measure, for a paper"}};
  verb.run = compare;
  return verb;
}

}  // namespace astroclip::app
