#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/encoder.h"
#include "experiment/experiment.h"
#include "nn/published_weights.h"

namespace astroclip {

/// "image_encoder": what an encoder's tensors are named under in model files, as in the published ones.
std::string encoder_prefix(const std::string& encoder);

/// The modality that an encoder of this kind takes.
std::string modality_of(const EncoderSpec& spec);

/// An encoder on a device. Its initial weights are drawn from streams keyed by `seed` and the encoder's name; without a
/// seed it has storage alone, for weights that are about to be loaded.
std::shared_ptr<Encoder> make_encoder(const EncoderSpec& spec, Device device, std::optional<uint64_t> seed);

/// What Model::load took.
struct LoadedEncoder {
  bool has_head = false;  ///< whether the head came, too
  nn::Published from;
};

/// The tensors that a file may hold for an encoder: those under its name, if there are any, because another encoder of
/// the same architecture may be beside it.
std::vector<NamedTensor> tensors_for(const std::string& encoder, std::vector<NamedTensor> tensors);

/// Encoders by name; several may take the same modality.
class Model {
 public:
  /// Makes each as make_encoder does.
  Model(const std::vector<EncoderSpec>& encoders, Device device, std::optional<uint64_t> seed);

  Encoder& encoder(const std::string& name) const;
  /// The same for users that outlive the model.
  std::shared_ptr<Encoder> shared_encoder(const std::string& name) const;
  std::vector<std::string> names() const;
  /// Everything, under encoder_prefix.
  std::vector<NamedTensor> state() const;
  /// Takes one encoder's tensors from a PyTorch or safetensors file, whatever their prefix, as nn::load_published does.
  /// From a file with nothing of the head (published before alignment) comes the backbone; the head stays as it is.
  /// A model made without a seed uses the file's bytes where they stand. Throws Error listing what is missing,
  /// misshapen or unexpected, or the sets of tensors of which `prefix` must choose one.
  LoadedEncoder load(const std::string& encoder, const std::string& path) const;
  /// The same from the tensors of a file, which `path` names in messages.
  LoadedEncoder load(const std::string& encoder, std::vector<NamedTensor> tensors, const std::string& path,
                     const std::optional<std::string>& prefix = std::nullopt) const;

 private:
  nn::Loading loading_;
  std::vector<std::pair<std::string, std::shared_ptr<Encoder>>> encoders_;
};

}  // namespace astroclip
