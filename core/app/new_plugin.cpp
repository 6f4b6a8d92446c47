#include "plugin/new_plugin.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/verbs.h"

namespace astroclip::app {

namespace {

std::vector<std::string> kinds() {
  std::vector<std::string> names;
  std::ranges::transform(plugin::all_kinds, std::back_inserter(names), plugin::kind_name);
  return names;
}

int new_plugin(const Values& values) {
  const plugin::Kind kind = *std::ranges::find(plugin::all_kinds, values.text("kind"), plugin::kind_name);
  const std::string name = values.text("name"), folder = values.has("output") ? values.text("output") : name;
  for (const auto& file : plugin::write_new_plugin(kind, name, folder)) fmt::print("{}\n", file.string());
  fmt::print(
      "\nIt works as it is. To build it, run its tests, and train and evaluate with it:\n\n"
      "    cmake -S {0} -B {0}/build -DCMAKE_PREFIX_PATH={1}\n"
      "    cmake --build {0}/build\n"
      "    ctest --test-dir {0}/build --output-on-failure\n"
      "    {1}/bin/astroclip --plugins {0}/build run {0}/experiment.toml\n",
      folder, plugin::installation().string());
  return 0;
}

}  // namespace

Verb new_plugin_verb() {
  return {
      .name = "new-plugin",
      .usages = {"KIND NAME [--output DIR]"},
      .meaning = "write the source of a new plugin",
      .description =
          "Writes a folder with a working encoder, loss, dataset or task as a starting point: its source, its tests, a "
          "CMakeLists.txt that builds both against this astroclip, and an experiment that trains and evaluates with "
          "it.",
      .positionals = {Argument("kind", "KIND", "encoder, loss, dataset or task").required().one_of(kinds()),
                      Argument("name", "NAME",
                               "name of the plugin: lower-case letters, digits and single underscores, beginning "
                               "with a letter")
                          .required()},
      .options = {Argument("output", "DIR", "folder to write (default: NAME)").completed_by(Completes::folder)},
      .examples = {{"astroclip new-plugin encoder my_encoder", "writes a small convolutional network to my_encoder/"},
                   {"astroclip new-plugin loss my_loss --output work/my_loss", "writes a contrastive loss"}},
      .run = new_plugin};
}

}  // namespace astroclip::app
