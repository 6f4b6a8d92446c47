#include "plugin/new_plugin.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <boost/program_options.hpp>

#include "app/kinds.h"
#include "app/verbs.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;

void write(plugin::Kind kind, const std::string& name, const std::string& folder) {
  for (const auto& file : plugin::write_new_plugin(kind, name, folder)) fmt::print("{}\n", file.string());
  const std::string prefix = plugin::installation().string();
  fmt::print(
      "\nIt works as it is; build it, run its tests, train and measure with it:\n\n"
      "    cmake -S {0} -B {0}/build -DCMAKE_PREFIX_PATH={1}\n"
      "    cmake --build {0}/build\n"
      "    ctest --test-dir {0}/build --output-on-failure\n"
      "    {1}/bin/astroclip --plugins {0}/build run {0}/experiment.toml\n",
      folder, prefix);
}

}  // namespace

int new_plugin_command(std::span<const std::string> arguments) {
  options::options_description named("options"), all;
  named.add_options()("help", "print this")("output", options::value<std::string>()->value_name("DIR"),
                                            "the folder to write (default: NAME)");
  all.add(named).add_options()("kind", options::value<std::string>())("name", options::value<std::string>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("kind", 1).add("name", 1))
                     .run(),
                 values);
  if (values.count("help") > 0) {
    fmt::print(
        "usage: astroclip new-plugin KIND NAME [--output DIR]\n\n"
        "Writes a folder with an encoder, loss, dataset or task that works as it is, to be changed into what you "
        "need:\n"
        "its source, its tests, a CMakeLists.txt that builds both against this astroclip, and an experiment that "
        "trains\n"
        "and measures with it.\n\n{}",
        fmt::streamed(named));
    return 0;
  }
  if (values.count("name") == 0) throw UsageError("new-plugin needs a kind and a name: new-plugin encoder my_encoder");
  const auto name = values["name"].as<std::string>();
  write(kind_of(values["kind"].as<std::string>()), name,
        values.count("output") > 0 ? values["output"].as<std::string>() : name);
  return 0;
}

}  // namespace astroclip::app
