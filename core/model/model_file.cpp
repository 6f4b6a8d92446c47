#include "model/model_file.h"

#include <fmt/format.h>

#include "base/error.h"
#include "config/toml.h"
#include "data/preprocessing.h"
#include "experiment/experiment_file.h"
#include "io/weights/weights_file.h"

namespace astroclip {

namespace {

/// What of the table the other one has not, or with other values: "bands = "grz", pixel_scale = 0.262".
std::string differences(const config::Table& table, const config::Table& other) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  for (const auto& entry : table.entries()) {
    const config::Value* there = other.find(entry.key);
    const std::string value = config::to_toml(entry.value);
    if (there == nullptr || config::to_toml(*there) != value) add(fmt::format("{} = {}", entry.key, value));
  }
  for (const auto& entry : other.entries()) {
    if (table.find(entry.key) == nullptr) add(fmt::format("no {}", entry.key));
  }
  return text;
}

}  // namespace

std::string architecture_text(const std::vector<EncoderSpec>& encoders) {
  config::Table by_name, file;
  for (const EncoderSpec& encoder : encoders) by_name.set(encoder.name, {encoder.plugin.parameters, {}});
  file.set("encoders", {by_name, {}});
  return config::to_toml(file);
}

std::string write_model_file(const std::string& path, const std::vector<NamedTensor>& tensors,
                             const ModelDescription& description, io::Metadata metadata) {
  const std::string hash = io::model_hash(tensors);
  metadata["architecture"] = architecture_text(description.encoders);
  metadata["preprocessing"] = config::to_toml(description.preprocessing);
  metadata["model_hash"] = hash;
  io::write_safetensors(path, tensors, metadata);
  return hash;
}

ModelDescription read_model_description(const std::string& path) {
  return read_model_description(io::list_weights(path).metadata, path);
}

ModelDescription read_model_description(const io::Metadata& metadata, const std::string& path) {
  const auto text = [&](const char* key) {
    const auto found = metadata.find(key);
    if (found != metadata.end()) return found->second;
    throw Error(
        fmt::format("{}: does not tell its {}; astroclip convert IN OUT --architecture FILE.toml writes a file that "
                    "does",
                    path, key));
  };
  const std::string architecture = text("architecture"), preprocessing = text("preprocessing");
  return {read_architecture(config::parse_text(architecture, path + ": architecture"), path, true),
          config::parse_text(preprocessing, path + ": preprocessing"), text("model_hash")};
}

void check_views(const ModelDescription& description, const Dataset& dataset, const std::string& modality,
                 const std::string& place) {
  const config::Table given = dataset.preprocessing();
  const config::Table *expected = data::modality_table(description.preprocessing, modality),
                      *found = data::modality_table(given, modality);
  if (expected == nullptr || found == nullptr) return;
  const std::string wants = differences(*expected, *found), has = differences(*found, *expected);
  if (wants.empty() && has.empty()) return;
  throw Error(fmt::format("{}: the model takes '{}' with {}, its objects have {}", place, modality, wants, has));
}

std::vector<EncoderSpec> load_architecture(const std::string& path) {
  return read_architecture(parse_experiment(path), path);
}

}  // namespace astroclip
