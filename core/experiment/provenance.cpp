#include "experiment/provenance.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/fingerprint.h"
#include "io/weights/weights_file.h"
#include "plugin/host.h"

namespace astroclip {

namespace {

/// By the metadata of a model file, else by all bytes.
std::string hash_of_weights(const std::string& path) {
  const io::Metadata metadata = io::list_weights(path).metadata;
  const auto hash = metadata.find("model_hash");
  return hash == metadata.end() ? file_hash(path) : hash->second;
}

/// "" when there is no such plugin.
std::string hash_of_plugin(plugin::Kind kind, const std::string& name) {
  plugin::Listing plugin;
  try {
    plugin = plugin::Host::instance().find(kind, name);
  } catch (const Error&) {  // another kind's
    return "";
  }
  return file_hash(plugin.file.string());
}

/// Of libastroclip.so.
std::string hash_of_library() {
  Dl_info own = {};
  if (dladdr(reinterpret_cast<const void*>(&hash_of_library), &own) == 0) throw Error("cannot find libastroclip.so");
  return file_hash(own.dli_fname);
}

void add_plugins(const config::Value& value, config::Table& code) {
  if (const auto* array = value.get_if<config::Array>()) {
    for (const config::Value& element : *array) add_plugins(element, code);
  }
  const auto* table = value.get_if<config::Table>();
  if (table == nullptr) return;
  const config::Value* name = table->find("plugin");
  if (const auto* text = name == nullptr ? nullptr : name->get_if<std::string>()) {
    for (const plugin::Kind kind : plugin::all_kinds) {
      const std::string hash = hash_of_plugin(kind, *text);
      if (!hash.empty()) code.set(fmt::format("{} {}", plugin::kind_name(kind), *text), {hash, {}});
    }
  }
  for (const auto& entry : table->entries()) add_plugins(entry.value, code);
}

/// The names of facts that both tables have and that differ.
std::vector<std::string> differing(const config::Table& then, const config::Table& now) {
  std::vector<std::string> names;
  for (const auto& entry : then.entries()) {
    const config::Value* value = now.find(entry.key);
    if (value != nullptr && config::to_toml(*value) != config::to_toml(entry.value)) names.push_back(entry.key);
  }
  return names;
}

/// "encoder vit" → "encoder 'vit'"
std::string shown(const std::string& code) {
  const size_t space = code.find(' ');
  return space == std::string::npos ? code : fmt::format("{} '{}'", code.substr(0, space), code.substr(space + 1));
}

}  // namespace

std::string Provenance::text() const {
  config::Table all;
  if (!accepted.empty()) {
    config::Array sentences;
    for (const std::string& sentence : accepted) sentences.push_back({sentence, {}});
    all.set("accepted", {std::move(sentences), {}});
  }
  all.set("dataset", {dataset, {}});
  all.set("code", {code, {}});
  all.set("files", {files, {}});
  if (!libraries.empty()) all.set("libraries", {libraries, {}});
  return config::to_toml(all);
}

Provenance Provenance::parse(const std::string& text, const std::string& place) {
  const config::Table all = config::parse_text(text, place + ": provenance");
  const auto section = [&](const char* name) {
    const config::Value* found = all.find(name);
    const auto* table = found == nullptr ? nullptr : found->get_if<config::Table>();
    return table == nullptr ? config::Table() : *table;
  };
  Provenance provenance{section("dataset"), section("code"), section("files"), section("libraries")};
  const config::Value* accepted = all.find("accepted");
  if (const auto* sentences = accepted == nullptr ? nullptr : accepted->get_if<config::Array>()) {
    for (const config::Value& sentence : *sentences) {
      if (const auto* line = sentence.get_if<std::string>()) provenance.accepted.push_back(*line);
    }
  }
  return provenance;
}

config::Table code_of(const config::Value& value) {
  config::Table code;
  code.set("astroclip", {hash_of_library(), {}});
  add_plugins(value, code);
  return code;
}

Provenance provenance_of(const Experiment& experiment, const config::Table& dataset) {
  Provenance provenance{dataset, code_of({experiment.resolved(), {}}), {}};
  const auto add = [&](const std::string& path) { provenance.files.set(path, {hash_of_weights(path), {}}); };
  for (const StageSpec& stage : experiment.stages) {
    for (const InitSpec& init : stage.init) {
      if (!init.is_stage) add(init.source);
    }
  }
  for (const std::string& path : experiment.evaluation.models) add(path);
  return provenance;
}

std::vector<std::string> differences(const Provenance& a, const Provenance& b) {
  std::vector<std::string> names;
  for (const std::string& name : differing(a.dataset, b.dataset)) names.push_back("the dataset's " + name);
  for (const std::string& path : differing(a.files, b.files)) names.push_back("the contents of " + path);
  for (const std::string& name : differing(a.code, b.code)) names.push_back(shown(name));
  return names;
}

namespace {

/// Names the first of as many files that has other contents.
std::string changed_file(const std::string& before, const std::string& after, const std::vector<std::string>& files) {
  if (before.size() != after.size()) {
    return fmt::format("the dataset had {} files; now it has {}", before.size() / digits_of_a_file,
                       after.size() / digits_of_a_file);
  }
  const auto differs = static_cast<size_t>(std::ranges::mismatch(before, after).in1 - before.begin());
  const size_t which = differs / digits_of_a_file, all = after.size() / digits_of_a_file;
  const std::string name = which < files.size() ? files[which] : "the dataset's file";
  return fmt::format("{}{} had other contents", name, all == 1 ? "" : fmt::format(", file {} of {},", which + 1, all));
}

}  // namespace

std::string check_unchanged(const Provenance& then, const Provenance& now, const std::string& place, Rebuilt rebuilt,
                            const std::string& advice) {
  if (then.empty()) {
    return fmt::format(
        "{}: was made by a version of astroclip that did not note its data and plugins, so that they are "
        "not compared",
        place);
  }
  for (const std::string& name : differing(then.dataset, now.dataset)) {
    const config::Value &before = *then.dataset.find(name), &after = *now.dataset.find(name);
    if (name == file_contents) {
      throw Error(
          fmt::format("{}: was made when {}", place,
                      changed_file(*before.get_if<std::string>(), *after.get_if<std::string>(), now.dataset_files)));
    }
    if (before.get_if<int64_t>() == nullptr) {
      throw Error(fmt::format("{}: was made when the dataset had other {}", place, name));
    }
    throw Error(fmt::format("{}: was made when the dataset had {} {}; now it has {}", place, config::to_toml(before),
                            name, config::to_toml(after)));
  }
  for (const std::string& path : differing(then.files, now.files)) {
    throw Error(fmt::format("{}: was made when {} had other contents", place, path));
  }
  std::vector<std::string> code;
  for (const std::string& name : differing(then.code, now.code)) code.push_back(shown(name));
  if (code.empty()) return "";
  const std::string sentence =
      fmt::format("{}: {} {} rebuilt since", place, fmt::join(code, ", "), code.size() == 1 ? "was" : "were");
  if (rebuilt == Rebuilt::accept) return sentence;
  throw Error(sentence + "; " + advice);
}

}  // namespace astroclip
