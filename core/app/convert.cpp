#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "app/verbs.h"
#include "base/printable.h"
#include "data/preprocessing.h"
#include "io/weights/weights_file.h"
#include "model/model.h"
#include "model/model_file.h"
#include "model/presets.h"

namespace astroclip::app {

namespace {

/// The tensors as they are.
void write_tensors(io::WeightsFile& weights, const std::string& to, bool tells) {
  weights.metadata["model_hash"] = io::model_hash(weights.tensors);
  io::write_safetensors(to, weights.tensors, weights.metadata);
  fmt::print("{}: {} tensors, model {}{}\n", to, weights.tensors.size(), weights.metadata["model_hash"],
             tells ? "" : "; no preset has their names and shapes: to embed with them, give --architecture");
}

/// The encoders of an architecture, with what it takes to embed by the file alone.
void write_model(const std::string& from, const std::vector<NamedTensor>& source, const std::string& to,
                 const std::string& architecture, io::Metadata metadata) {
  const std::vector<EncoderSpec> encoders = load_architecture(architecture);
  const Model model(encoders, {}, std::nullopt);
  std::vector<std::string> without_head;
  for (const std::string& name : model.names()) {
    if (!model.load(name, source, from)) without_head.push_back(encoder_prefix(name) + ".");
  }
  std::vector<NamedTensor> tensors = model.state();
  for (const std::string& tower : without_head) {
    // A file from before alignment has no head, and what stands in this one is no part of the model.
    std::erase_if(tensors, [&](const NamedTensor& entry) {
      return entry.name.starts_with(tower) && !entry.name.starts_with(tower + "backbone.");
    });
  }
  const std::string hash =
      write_model_file(to, tensors, {encoders, data::published_preprocessing(), {}}, std::move(metadata));
  fmt::print("{}: {} as in {}, {} tensors, model {}\n", to, fmt::join(model.names(), " and "),
             std::filesystem::path(architecture).filename().string(), tensors.size(), hash);
}

void convert(const std::string& from, const std::string& to, std::string architecture) {
  io::WeightsFile weights = io::read_weights(from, Device::host());
  const bool tells = weights.metadata.contains("architecture");  // a model of ours, which is none of the presets'
  if (architecture.empty() && !tells) {
    const auto preset = recognise(weights.tensors, presets());
    if (preset) architecture = preset->path;
  }
  weights.metadata["converted_from"] = std::filesystem::path(from).filename().string();
  for (const std::string& name : weights.skipped)
    fmt::print("left out, as no tensor that can be read: {}\n", printable(name));
  if (architecture.empty()) return write_tensors(weights, to, tells);
  write_model(from, weights.tensors, to, architecture_path(architecture), weights.metadata);
}

}  // namespace

Verb convert_verb() {
  Verb verb{
      "convert",
      {"IN OUT [--architecture FILE.toml]"},
      "write the weights of a PyTorch file as safetensors",
      "Writes the tensors of IN, a PyTorch file, as the safetensors file OUT (f16 becomes f32; integers of 8 and 16 "
      "bits i32, bool u8), with the plain "
      "hyper-parameters and a hash of the model in the metadata. Where they have the names and shapes of a preset "
      "(a file of experiments/models: the published models, ViTs of other sizes, the supervised baselines), or of the "
      "architecture given, "
      "OUT has the encoders' tensors under astroclip's names and tells what it takes to embed; else it has the "
      "state dict as it is."};
  verb.positionals = {{"in", "IN", "a PyTorch file, zip or legacy, or a safetensors file"},
                      {"out", "OUT", "the safetensors file to write"}};
  verb.options.add_options()("architecture", text("FILE.toml"),
                             "the encoders of IN: an experiment, or a preset's file or name (default: the preset that "
                             "fits)");
  verb.examples = {{"astroclip convert astroclip.ckpt astroclip.safetensors",
                    "the published model, in a file that embeds by itself"},
                   {"astroclip convert mine.pt mine.safetensors --architecture mine.toml", "a model of your own"}};
  verb.run = [](const options::variables_map& values) {
    if (!values.contains("out")) throw UsageError("convert needs the file to read and the file to write");
    const auto from = values["in"].as<std::string>(), to = values["out"].as<std::string>();
    std::error_code ignored;
    if (std::filesystem::equivalent(from, to, ignored)) throw Error(fmt::format("{}: IN and OUT are one file", from));
    if (std::filesystem::is_regular_file(to)) throw Error(fmt::format("{}: exists already and is left as it is", to));
    convert(from, to, values.contains("architecture") ? values["architecture"].as<std::string>() : "");
    return 0;
  };
  return verb;
}

}  // namespace astroclip::app
