#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "app/survey_figures.h"
#include "app/verbs.h"
#include "config/toml.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

/// The plugin with parameters from the command line. Throws a ProblemList, and UsageError for what is said twice.
plugin::Spec<Dataset> plugin_of(const Values& values) {
  config::Table table;
  for (const std::string& assignment : values.texts("set")) config::apply_override(table, assignment);
  for (const char* key : {"file", "cache"}) {
    if (table.find(key) != nullptr) throw UsageError(fmt::format("OUTPUT.h5 is the file; --set has no '{}' here", key));
  }
  for (const char* key : {"galaxies", "seed"}) {
    if (!values.has(key)) continue;
    if (table.find(key) != nullptr) throw UsageError(fmt::format("--{0} and --set {0} contradict each other", key));
    table.set(key, {values.integer(key), {fmt::format("--{}", key)}});
  }
  table.set("file", {std::filesystem::absolute(values.text("output")).string(), {"OUTPUT.h5"}});
  config::Problems problems;
  auto spec = plugin::Host::instance().read<Dataset>("simulated_survey", table, {"simulate"}, {}, problems);
  problems.throw_if_any();
  return spec;
}

int simulate(const Values& values) {
  const std::string output = values.text("output");
  const auto spec = plugin_of(values);
  // The plugin would read a file that exists.
  if (std::filesystem::exists(output)) throw Error(fmt::format("{}: already exists", output));
  if (values.has("figures")) io::make_folder(values.text("figures"));  // fails before the time is spent
  const auto start = std::chrono::steady_clock::now();
  const auto survey = spec.make();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{}: {} simulated galaxies for training, {} for testing, in {:.1f} s\n", output,
             survey->size(Split::train), survey->size(Split::test), seconds.count());
  if (values.has("figures")) {
    write_survey_figures(*survey, io::Hdf5File::open(output).attribute("recipe"), values.text("figures"));
  }
  return 0;
}

}  // namespace

Verb simulate_verb() {
  return {
      .name = "simulate",
      .usages = {"OUTPUT.h5 [--galaxies N] [--seed S] [--figures FOLDER] [--set key=value]…"},
      .meaning = "write a simulated survey in the paired layout",
      .description =
          "Writes images, spectra and labels of simulated galaxies in the published paired layout. An existing file "
          "is never overwritten.",
      .positionals = {Argument("output", "OUTPUT.h5", "file to write").required().completed_by(Completes::file)},
      .options = {Argument("galaxies", "N", "number of galaxies (default: 4096)"),
                  Argument("seed", "S", "seed of the galaxies and their noise (default: 1)"),
                  Argument("figures", "FOLDER",
                           "draw its colours, masses, rates, metals, dust, sizes and velocity dispersions beside "
                           "published ones, by gnuplot where it is installed; print their numbers otherwise"),
                  Argument("set", "key=value",
                           "set a parameter of the dataset simulated_survey (see `astroclip describe "
                           "simulated_survey`)")
                      .repeated()},
      .examples = {{"astroclip simulate survey.h5 --galaxies 1000",
                    "simulates 1000 galaxies, four of five for training"},
                   {"astroclip simulate deep.h5 --galaxies 1000 --seed 2 --set ivar=true",
                    "simulates others, with the inverse variance of each pixel"}},
      .run = simulate};
}

}  // namespace astroclip::app
