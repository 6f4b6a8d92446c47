#include "plugin/new_plugin.h"

#include <fmt/format.h>

#include "app/kinds.h"
#include "app/verbs.h"

namespace astroclip::app {

namespace {

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

Verb new_plugin_verb() {
  Verb verb{"new-plugin",
            {"KIND NAME [--output DIR]"},
            "write a plugin of your own, to be built elsewhere",
            "Writes a folder with an encoder, loss, dataset or task that works as it is, to be changed into what you "
            "need: its source, its tests, a CMakeLists.txt that builds both against this astroclip, and an experiment "
            "that trains and measures with it."};
  verb.positionals = {{"kind", "KIND", "encoder, loss, dataset or task"},
                      {"name", "NAME", "of the plugin: lower-case letters, digits and single _, a letter first"}};
  verb.options.add_options()("output", text("DIR"), "the folder to write (default: NAME)");
  verb.examples = {
      {"astroclip new-plugin encoder my_encoder", "a small convolutional network on images, in my_encoder/"},
      {"astroclip new-plugin loss my_loss --output work/my_loss", "a contrastive loss, elsewhere"}};
  verb.run = [](const options::variables_map& values) {
    if (!values.contains("name")) throw UsageError("new-plugin needs a kind and a name: new-plugin encoder my_encoder");
    const auto name = values["name"].as<std::string>();
    write(kind_of(values["kind"].as<std::string>()), name,
          values.contains("output") ? values["output"].as<std::string>() : name);
    return 0;
  };
  return verb;
}

}  // namespace astroclip::app
