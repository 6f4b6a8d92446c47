#include "embed/input_provenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "config/toml.h"
#include "experiment/fingerprint.h"
#include "experiment/provenance.h"
#include "io/hdf5/hdf5.h"

namespace astroclip::embed {

namespace {

void add_note(std::vector<Note>& notes, const Input& input, const std::string& text) {
  const auto known = std::ranges::find(notes, text, &Note::text);
  if (known == notes.end())
    notes.push_back({text, input.name, 1});
  else
    ++known->inputs;
}

/// The text of the output that was begun, "" without one.
std::string begun_text(const Provenance& now, const std::string& output) {
  std::string text;
  for (const std::string& path : {output, output + ".partial"}) {
    if (!std::filesystem::exists(path)) continue;
    text = io::Hdf5File::open(path).attribute("provenance");
    const std::string advice = "delete it to begin anew";
    const Provenance then = Provenance::parse(text, path);
    const std::string unknown = check_unchanged(then, now, path, Rebuilt::refuse, advice);
    if (!unknown.empty()) throw Error(fmt::format("{}; {}", unknown, advice));
  }
  return text;
}

}  // namespace

InputProvenance provenance_of(const std::vector<Input>& inputs, const std::vector<EncoderSpec>& encoders,
                              const std::string& output) {
  InputProvenance known;
  Provenance now;
  const Dataset* before = nullptr;
  config::Table plugins;
  std::map<std::string, std::string> facts;  // of all inputs, one after another
  std::string contents;                      // of all files
  for (const Input& input : inputs) {
    if (std::exchange(before, input.objects.get()) == input.objects.get()) continue;  // another split
    const config::Table own = fingerprint(*input.objects);
    for (const auto& entry : own.entries()) facts[entry.key] += config::to_toml(entry.value);
    if (const config::Value* of_files = own.find(file_contents)) contents += *of_files->get_if<std::string>();
    for (std::string& file : input.objects->files()) now.dataset_files.push_back(std::move(file));
    if (const config::Value* names = own.find(unreadable_labels)) {
      add_note(known.notes, input,
               fmt::format("{}, and are left out: {}", unreadable_labels, *names->get_if<std::string>()));
    }
    for (const std::string& note : input.objects->notes()) add_note(known.notes, input, note);
    config::Table dataset;
    dataset.set("plugin", {input.objects->plugin_name(), {}});
    plugins.set(input.name, {dataset, {}});
  }
  for (const auto& [name, values] : facts) now.dataset.set(name, {fmt::format("{:016x}", stable_hash(values)), {}});
  if (!contents.empty()) now.dataset.set(file_contents, {contents, {}});
  for (const EncoderSpec& encoder : encoders) plugins.set(encoder.name, {encoder.plugin.parameters, {}});
  now.code = code_of({plugins, {}});
  known.text = begun_text(now, output);
  if (known.text.empty()) known.text = now.text();
  return known;
}

}  // namespace astroclip::embed
