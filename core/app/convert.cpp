#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "app/verbs.h"
#include "data/preprocessing.h"
#include "io/weights_file.h"
#include "train/model.h"
#include "train/model_file.h"

namespace astroclip::app {

namespace {

/// The tensors as they are.
void convert(const std::string& from, const std::string& to) {
  auto weights = io::read_weights(from, {DeviceKind::cpu});
  weights.metadata["converted_from"] = std::filesystem::path(from).filename().string();
  weights.metadata["model_hash"] = io::model_hash(weights.tensors);
  io::write_safetensors(to, weights.tensors, weights.metadata);
  fmt::print("{}: {} tensors, model {}\n", to, weights.tensors.size(), weights.metadata["model_hash"]);
}

/// The encoders of an architecture, with what it takes to embed by the file alone.
void convert(const std::string& from, const std::string& to, const std::string& architecture) {
  train::Experiment setting;
  setting.encoders = train::load_architecture(architecture);
  const train::Model model(setting, train::Weights::none);
  std::vector<nn::NamedTensor> tensors = model.state();
  for (const std::string& name : model.names()) {
    if (model.load(name, from)) continue;
    // A file from before alignment has no head, and what stands in this one is no part of the model.
    const std::string tower = train::encoder_prefix(name) + ".", backbone = tower + "backbone.";
    std::erase_if(tensors, [&](const nn::NamedTensor& entry) {
      return entry.name.starts_with(tower) && !entry.name.starts_with(backbone);
    });
  }
  const std::string hash =
      train::write_model_file(to, tensors, {setting.encoders, data::published_preprocessing(), {}},
                              {{"converted_from", std::filesystem::path(from).filename().string()}});
  fmt::print("{}: {}, {} tensors, model {}\n", to, fmt::join(model.names(), " and "), tensors.size(), hash);
}

}  // namespace

Verb convert_verb() {
  Verb verb{"convert",
            {"IN OUT [--architecture FILE.toml]"},
            "write the weights of a PyTorch file as safetensors",
            "Writes the tensors of IN, a PyTorch file, as the safetensors file OUT: the state dict with its names and "
            "dtypes (f16 becomes f32), the plain hyper-parameters, and a hash of the model in the metadata. With an "
            "architecture OUT has its encoders' tensors under astroclip's names, and tells what it takes to embed."};
  verb.positionals = {{"in", "IN", "a PyTorch file, zip or legacy, or a safetensors file"},
                      {"out", "OUT", "the safetensors file to write"}};
  verb.options.add_options()("architecture", text("FILE.toml"),
                             "the encoders of IN: an experiment, or one of experiments/models");
  verb.examples = {
      {"astroclip convert astroclip.ckpt astroclip.safetensors --architecture experiments/astroclip.toml",
       "the published model, in a file that embeds by itself"},
      {"astroclip convert anything.pt tensors.safetensors", "just the tensors"}};
  verb.run = [](const options::variables_map& values) {
    if (!values.contains("out")) throw UsageError("convert needs the file to read and the file to write");
    const auto from = values["in"].as<std::string>(), to = values["out"].as<std::string>();
    std::error_code ignored;
    if (std::filesystem::equivalent(from, to, ignored)) throw Error(fmt::format("{}: IN and OUT are one file", from));
    if (values.contains("architecture"))
      convert(from, to, values["architecture"].as<std::string>());
    else
      convert(from, to);
    return 0;
  };
  return verb;
}

}  // namespace astroclip::app
