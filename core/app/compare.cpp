#include <fmt/format.h>
#include <fmt/ostream.h>

#include <boost/program_options.hpp>

#include "app/verbs.h"
#include "compare/render.h"
#include "io/durable_file.h"

namespace astroclip::app {

namespace options = boost::program_options;

int compare_command(std::span<const std::string> arguments) {
  using Words = std::vector<std::string>;
  options::options_description named("options");
  named.add_options()("help", "print this")("baseline", options::value<std::string>(),
                                            "configuration that differences are from: \"loss=clip\", or \"clip\"")(
      "measure", options::value<Words>()->composing(),
      "measures with this in their name, * and ? allowed; may be repeated (default: the first of each line)")(
      "markdown", options::value<std::string>(), "write the tables to a Markdown file")(
      "latex", options::value<std::string>(), "write them to a LaTeX file")("csv", options::value<std::string>(),
                                                                            "write every number to a CSV file");
  options::options_description all;
  all.add(named).add_options()("run", options::value<Words>());
  options::variables_map values;
  options::store(options::command_line_parser(Words(arguments.begin(), arguments.end()))
                     .options(all)
                     .positional(options::positional_options_description().add("run", -1))
                     .run(),
                 values);
  if (values.contains("help")) {
    fmt::print(
        "usage: astroclip compare RUN… [--baseline NAME] [--measure PATTERN]…\n\n"
        "Compares finished runs, and those of sweeps: runs that differ in their seed alone are one configuration.\n\n"
        "  astroclip compare runs/losses-1 --baseline clip --measure 'median rank' --latex table.tex\n\n{}",
        fmt::streamed(named));
    return 0;
  }
  if (!values.contains("run")) throw UsageError("compare needs the folders of runs or sweeps");
  compare::Request request;
  if (values.contains("baseline")) request.baseline = values["baseline"].as<std::string>();
  if (values.contains("measure")) request.patterns = values["measure"].as<Words>();
  size_t left_out = 0;
  const auto comparison = compare::compare(compare::read_runs(values["run"].as<Words>(), left_out), request);
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

}  // namespace astroclip::app
