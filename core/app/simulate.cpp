#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "app/verbs.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;

constexpr const char* plugin_name = "simulated_survey";

/// The plugin's parameters from the command line, every default filled in. Throws with every problem there is.
config::Table parameters_of(const options::variables_map& values, const std::string& output) {
  config::Table table;
  if (values.count("set") > 0) {
    for (const auto& one : values["set"].as<std::vector<std::string>>()) config::apply_override(table, one);
  }
  for (const char* key : {"galaxies", "seed"}) {
    if (values.count(key) > 0) table.set(key, {values[key].as<int64_t>(), {fmt::format("--{}", key)}});
  }
  table.set("file", {std::filesystem::absolute(output).string(), {"OUTPUT"}});
  config::Problems problems;
  const auto schema = plugin::Host::instance().schema(plugin::Kind::dataset, plugin_name);
  auto resolved = schema.resolve(table, "simulate", {}, problems);
  problems.throw_if_any();
  return resolved;
}

int simulate(const options::variables_map& values) {
  const auto output = values["output"].as<std::string>();
  const auto parameters = parameters_of(values, output);
  // Reading another survey's file instead of writing would be a surprise; so would losing one.
  if (std::filesystem::exists(output)) throw Error(fmt::format("{}: exists already and is left as it is", output));
  fmt::print("simulating {} galaxies\n", *parameters.find("galaxies")->get_if<int64_t>());
  std::fflush(stdout);
  const auto start = std::chrono::steady_clock::now();
  const auto survey = plugin::Host::instance().make_dataset(plugin_name, parameters);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{}: {} galaxies for training, {} for testing, in {:.1f} s\n", output, survey->size(Split::train),
             survey->size(Split::test), seconds.count());
  return 0;
}

}  // namespace

int simulate_command(std::span<const std::string> arguments) {
  options::options_description visible("options");
  visible.add_options()("help", "print this");
  visible.add_options()("galaxies", options::value<int64_t>()->value_name("N"), "how many");
  visible.add_options()("seed", options::value<int64_t>()->value_name("S"), "of the galaxies and their noise");
  visible.add_options()("set", options::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
                        "any parameter that astroclip describe simulated_survey lists");
  options::options_description all;
  all.add(visible).add_options()("output", options::value<std::string>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("output", 1))
                     .run(),
                 values);
  if (values.count("help") > 0) {
    std::cout << "usage: astroclip simulate OUTPUT.h5 [options]\n\nWrites simulated galaxies, with images, spectra and "
                 "labels, in the published paired layout.\n\n"
              << visible;
    return 0;
  }
  if (values.count("output") == 0) throw UsageError("simulate needs the name of the file to write");
  return simulate(values);
}

}  // namespace astroclip::app
