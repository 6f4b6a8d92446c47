#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <filesystem>

#include "app/verbs.h"
#include "io/weights_file.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;

void convert(const std::string& from, const std::string& to) {
  std::error_code ignored;
  if (std::filesystem::equivalent(from, to, ignored)) throw Error(fmt::format("{}: IN and OUT are one file", from));
  auto weights = io::read_weights(from, {DeviceKind::cpu});
  weights.metadata["converted_from"] = std::filesystem::path(from).filename().string();
  weights.metadata["model_hash"] = io::model_hash(weights.tensors);
  io::write_safetensors(to, weights.tensors, weights.metadata);
  fmt::print("{}: {} tensors, model {}\n", to, weights.tensors.size(), weights.metadata["model_hash"]);
}

}  // namespace

int convert_command(std::span<const std::string> arguments) {
  options::options_description all;
  all.add_options()("help", "print this")("in", options::value<std::string>())("out", options::value<std::string>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("in", 1).add("out", 1))
                     .run(),
                 values);
  if (values.count("help") > 0) {
    fmt::print(
        "usage: astroclip convert IN OUT\n\n"
        "Writes the tensors of IN, a PyTorch file, as the safetensors file OUT: the state dict with its names and\n"
        "dtypes (f16 becomes f32), the plain hyper-parameters, and a hash of the model in the metadata.\n");
    return 0;
  }
  if (values.count("out") == 0) throw UsageError("convert needs the file to read and the file to write");
  convert(values["in"].as<std::string>(), values["out"].as<std::string>());
  return 0;
}

}  // namespace astroclip::app
