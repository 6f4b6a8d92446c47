#include <fmt/format.h>
#include <fmt/ostream.h>
#include <fmt/ranges.h>

#include <boost/program_options.hpp>
#include <filesystem>

#include "app/verbs.h"
#include "data/preprocessing.h"
#include "io/weights_file.h"
#include "train/model.h"
#include "train/model_file.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;

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

int convert_command(std::span<const std::string> arguments) {
  options::options_description named("options"), all;
  named.add_options()("help", "print this")("architecture", options::value<std::string>()->value_name("FILE.toml"),
                                            "the encoders of IN: an experiment, or one of experiments/models");
  all.add(named).add_options()("in", options::value<std::string>())("out", options::value<std::string>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("in", 1).add("out", 1))
                     .run(),
                 values);
  if (values.count("help") > 0) {
    fmt::print(
        "usage: astroclip convert IN OUT [--architecture FILE.toml]\n\n"
        "Writes the tensors of IN, a PyTorch file, as the safetensors file OUT: the state dict with its names and\n"
        "dtypes (f16 becomes f32), the plain hyper-parameters, and a hash of the model in the metadata. With an\n"
        "architecture OUT has its encoders' tensors under astroclip's names, and tells what it takes to embed.\n\n{}",
        fmt::streamed(named));
    return 0;
  }
  if (values.count("out") == 0) throw UsageError("convert needs the file to read and the file to write");
  const auto from = values["in"].as<std::string>(), to = values["out"].as<std::string>();
  std::error_code ignored;
  if (std::filesystem::equivalent(from, to, ignored)) throw Error(fmt::format("{}: IN and OUT are one file", from));
  if (values.count("architecture") > 0)
    convert(from, to, values["architecture"].as<std::string>());
  else
    convert(from, to);
  return 0;
}

}  // namespace astroclip::app
