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

/// Copies the tensors unchanged.
void write_tensors(io::WeightsFile& weights, const std::string& to, bool is_model) {
  weights.metadata["model_hash"] = io::model_hash(weights.tensors);
  io::write_safetensors(to, weights.tensors, weights.metadata);
  fmt::print("{}: {} tensors, model {}{}\n", to, weights.tensors.size(), weights.metadata["model_hash"],
             is_model ? "" : "; they match no preset: to embed with them, convert with --architecture");
}

/// Writes a model file with the encoders of an architecture.
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
    // A file written before alignment has no head; the model's own, without weights, is not written.
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
  const bool is_model = weights.metadata.contains("architecture");  // a model file of a run
  if (architecture.empty() && !is_model) {
    if (const auto preset = recognise(weights.tensors, presets())) architecture = preset->path;
  }
  weights.metadata["converted_from"] = std::filesystem::path(from).filename().string();
  for (const std::string& name : weights.skipped) fmt::print("skipped, not a readable tensor: {}\n", printable(name));
  if (architecture.empty()) return write_tensors(weights, to, is_model);
  write_model(from, weights.tensors, to, architecture_path(architecture), weights.metadata);
}

}  // namespace

Verb convert_verb() {
  return {
      .name = "convert",
      .usages = {"IN OUT [--architecture FILE.toml]"},
      .meaning = "convert PyTorch weights to safetensors",
      .description =
          "Reads the weights in IN and writes them to OUT as safetensors, with hyper-parameters and a hash of the "
          "model as metadata. f16 becomes f32, int8 and int16 become int32, bool becomes uint8. If the tensors match a "
          "preset or the given architecture, OUT is a complete model file, ready for `embed`; otherwise the state "
          "dict is copied unchanged. Presets are the files of experiments/models: the published models, ViTs of "
          "other sizes, the supervised baselines.",
      .positionals = {Argument("in", "IN", "PyTorch file (zip or legacy format) or safetensors file")
                          .required()
                          .completed_by(Completes::file),
                      Argument("out", "OUT", "safetensors file to write").required().completed_by(Completes::file)},
      .options = {Argument("architecture", "FILE.toml",
                           "encoders of IN: an experiment file, or the file or name of a preset (default: the "
                           "preset that matches)")
                      .completed_by(Completes::preset)},
      .examples = {{"astroclip convert astroclip.ckpt astroclip.safetensors",
                    "converts the published model into a file that `embed` reads"},
                   {"astroclip convert mine.pt mine.safetensors --architecture mine.toml",
                    "converts a model with the encoders of mine.toml"}},
      .run = [](const Values& values) {
        const std::string from = values.text("in"), to = values.text("out");
        std::error_code ignored;
        if (std::filesystem::equivalent(from, to, ignored)) {
          throw Error(fmt::format("{}: IN and OUT are the same file", from));
        }
        if (std::filesystem::is_regular_file(to)) throw Error(fmt::format("{}: already exists", to));
        convert(from, to, values.text("architecture"));
        return 0;
      }};
}

}  // namespace astroclip::app
