#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <optional>

#include "app/verbs.h"
#include "base/printable.h"
#include "data/preprocessing.h"
#include "io/weights/weights_file.h"
#include "model/model.h"
#include "model/model_file.h"
#include "model/presets.h"

namespace astroclip::app {

namespace {

/// Copies the state dict unchanged.
void write_tensors(io::WeightsFile& weights, const std::string& to, bool is_model) {
  const std::vector<NamedTensor> tensors = weights.state_dict();
  const size_t others = weights.tensors.size() - tensors.size();
  if (others > 0) fmt::print("taken: the tensors of '{}', not the {} others\n", weights.section, others);
  weights.metadata["model_hash"] = io::model_hash(tensors);
  io::write_safetensors(to, tensors, weights.metadata);
  fmt::print("{}: {} tensors, model {}{}\n", to, tensors.size(), weights.metadata["model_hash"],
             is_model ? "" : "; they match no preset: to embed with them, convert with --architecture");
}

/// Writes a model file with the encoders of an architecture.
void write_model(const std::string& from, const std::vector<NamedTensor>& source, const std::string& to,
                 const std::string& architecture, io::Metadata metadata, const std::optional<std::string>& prefix) {
  const std::vector<EncoderSpec> encoders = load_architecture(architecture);
  const Model model(encoders, {}, std::nullopt);
  std::vector<std::string> without_head;
  for (const std::string& name : model.names()) {
    const LoadedEncoder loaded = model.load(name, source, from, prefix);
    if (!loaded.has_head) without_head.push_back(encoder_prefix(name) + ".");
    fmt::print("{}: from {}\n", name, printable(loaded.from.text()));
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

void convert(const std::string& from, const std::string& to, std::string architecture,
             const std::optional<std::string>& prefix) {
  io::WeightsFile weights = io::read_weights(from, Device::host());
  const bool is_model = weights.metadata.contains("architecture");  // a model file of a run
  if (architecture.empty() && !is_model) {
    if (const auto preset = recognise(weights.tensors, presets())) architecture = preset->path;
  }
  if (prefix && architecture.empty()) {
    throw Error(fmt::format("{}: matches no preset; --prefix needs --architecture then", from));
  }
  weights.metadata["converted_from"] = std::filesystem::path(from).filename().string();
  for (const std::string& name : weights.skipped) fmt::print("left out, cannot be read: {}\n", printable(name));
  if (architecture.empty()) return write_tensors(weights, to, is_model);
  write_model(from, weights.tensors, to, architecture_path(architecture), weights.metadata, prefix);
}

}  // namespace

Verb convert_verb() {
  return {
      .name = "convert",
      .usages = {"IN OUT [--architecture FILE.toml]"},
      .meaning = "convert PyTorch weights to safetensors",
      .description =
          "Reads the weights in IN and writes them to OUT as safetensors, with hyper-parameters and a hash of the "
          "model as metadata. f16 becomes f32, int8 and int16 become int32, bool becomes uint8; tensors of other types "
          "are named and left out. If the tensors match a preset or the given architecture, OUT is a complete model "
          "file, ready for `embed`; otherwise the state dict is copied unchanged. Presets are the files of "
          "experiments/models: the published models, ViTs of other sizes, the supervised baselines. Names may be those "
          "of DINOv2, timm, transformers (Dinov2, ViT) or torchvision; heads and buffers that the model does not need "
          "are named and left out. If IN has several sets of weights that fit, such as encoder_q and encoder_k, "
          "--prefix must choose one; of a student and its teacher the teacher is taken.",
      .positionals = {Argument(
                          "in", "IN",
                          "PyTorch file (zip or legacy format), safetensors file, or index of shards (*.index.json)")
                          .required()
                          .completed_by(Completes::file),
                      Argument("out", "OUT", "safetensors file to write").required().completed_by(Completes::file)},
      .options = {Argument("architecture", "FILE.toml",
                           "encoders of IN: an experiment file, or the file or name of a preset (default: the "
                           "preset that matches)")
                      .completed_by(Completes::preset),
                  Argument("prefix", "PREFIX",
                           "beginning of the names of the tensors to take, such as state_dict.encoder_q (`astroclip "
                           "inspect IN` lists them)")},
      .examples = {{"astroclip convert astroclip.ckpt astroclip.safetensors",
                    "converts the published model into a file that `embed` reads"},
                   {"astroclip convert mine.pt mine.safetensors --architecture mine.toml",
                    "converts a model with the encoders of mine.toml"},
                   {"astroclip convert moco.pt q.safetensors --architecture vit-small --prefix state_dict.encoder_q",
                    "takes one of several sets of weights"}},
      .run = [](const Values& values) {
        const std::string from = values.text("in"), to = values.text("out");
        std::error_code ignored;
        if (std::filesystem::equivalent(from, to, ignored)) {
          throw Error(fmt::format("{}: IN and OUT are the same file", from));
        }
        if (std::filesystem::is_regular_file(to)) throw Error(fmt::format("{}: already exists", to));
        convert(from, to, values.text("architecture"),
                values.has("prefix") ? std::optional(values.text("prefix")) : std::nullopt);
        return 0;
      }};
}

}  // namespace astroclip::app
