#pragma once

#include <string>
#include <vector>

#include "api/dataset.h"
#include "experiment/experiment.h"
#include "io/weights/safetensors.h"
#include "nn/module.h"

namespace astroclip {

/// What a model file tells beside its tensors, so that the file alone suffices to embed.
struct ModelDescription {
  std::vector<EncoderSpec> encoders;  ///< metadata "architecture": TOML with [encoders.*]
  config::Table preprocessing;        ///< metadata "preprocessing": TOML of what Dataset::preprocessing gives
  std::string hash;                   ///< metadata "model_hash": io::model_hash of the tensors
};

/// Writes tensors with the description of their model (whose hash is computed here, and returned) and what else
/// `metadata` tells.
std::string write_model_file(const std::string& path, const std::vector<NamedTensor>& tensors,
                             const ModelDescription& description, io::Metadata metadata);

/// Reads the description alone. Throws Error naming the file when it has none, or one that cannot be read.
ModelDescription read_model_description(const std::string& path);
/// The same from the file's metadata; `path` is for messages.
ModelDescription read_model_description(const io::Metadata& metadata, const std::string& path);

/// Throws Error naming `place` when the dataset gives a modality other views than the model was trained on.
void check_views(const ModelDescription& description, const Dataset& dataset, const std::string& modality,
                 const std::string& place);

/// The encoders of a TOML file with [encoders.*]: an experiment, or one of experiments/models.
std::vector<EncoderSpec> load_architecture(const std::string& path);

/// The same as TOML, for a file's metadata.
std::string architecture_text(const std::vector<EncoderSpec>& encoders);

}  // namespace astroclip
