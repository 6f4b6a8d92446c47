#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "app/verbs.h"
#include "config/toml.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

constexpr const char* plugin_name = "simulated_survey";

/// The plugin's parameters from the command line, every default filled in. Throws with every problem there is.
config::Table parameters_of(const options::variables_map& values, const std::string& output) {
  config::Table table;
  for (const auto& one : texts_of(values, "set")) config::apply_override(table, one);
  for (const char* key : {"galaxies", "seed"}) {
    if (values.count(key) > 0) table.set(key, {values[key].as<int64_t>(), {fmt::format("--{}", key)}});
  }
  table.set("file", {std::filesystem::absolute(output).string(), {"OUTPUT"}});
  config::Problems problems;
  const auto schema = plugin::Host::instance().schema(plugin::Kind::dataset, plugin_name);
  auto resolved = schema.resolve(table, {"simulate"}, {}, problems);
  problems.throw_if_any();
  return resolved;
}

int simulate(const options::variables_map& values) {
  if (!values.contains("output")) throw UsageError("simulate needs the name of the file to write");
  const auto output = values["output"].as<std::string>();
  if (output.empty()) throw UsageError("simulate needs the name of the file to write, not ''");
  const auto parameters = parameters_of(values, output);
  // Reading another survey's file instead of writing would be a surprise; so would losing one.
  if (std::filesystem::exists(output)) throw Error(fmt::format("{}: exists already and is left as it is", output));
  const auto start = std::chrono::steady_clock::now();
  const auto survey = plugin::Host::instance().make_dataset(plugin_name, parameters);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{}: {} galaxies for training, {} for testing, in {:.1f} s\n", output, survey->size(Split::train),
             survey->size(Split::test), seconds.count());
  return 0;
}

}  // namespace

Verb simulate_verb() {
  Verb verb{
      "simulate",
      {"OUTPUT.h5 [--galaxies N] [--seed S]"},
      "write simulated galaxies in the published paired layout",
      "Writes simulated galaxies, with images, spectra and labels, in the published paired layout. A file that is "
      "there is left as it is."};
  verb.positionals = {{"output", "OUTPUT.h5", "the file to write"}};
  verb.options.add_options()("galaxies", options::value<int64_t>()->value_name("N"), "how many (4096)")(
      "seed", options::value<int64_t>()->value_name("S"), "of the galaxies and their noise (1)")(
      "set", texts("key=value"), "any parameter that astroclip describe simulated_survey lists");
  verb.examples = {{"astroclip simulate survey.h5 --galaxies 1000", "a thousand galaxies, four of five for training"},
                   {"astroclip simulate deep.h5 --galaxies 1000 --seed 2 --set ivar=true",
                    "others, with the inverse variance of each pixel"}};
  verb.run = simulate;
  return verb;
}

}  // namespace astroclip::app
