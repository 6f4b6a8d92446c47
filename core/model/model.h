#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/encoder.h"
#include "experiment/experiment.h"

namespace astroclip {

/// "image_encoder": what an encoder's tensors are named under in model files, as in the published ones.
std::string encoder_prefix(const std::string& encoder);

/// What a new encoder's weights are: its initial ones, or none until they are loaded.
enum class Weights { initial, none };

/// One encoder of an experiment.
std::shared_ptr<Encoder> make_encoder(const Experiment& experiment, const std::string& name,
                                      Weights weights = Weights::initial);

/// The encoders of an experiment on the run's device.
class Model {
 public:
  /// Initial weights are keyed by the experiment's seed. Throws Error when an encoder serves another modality than its
  /// key says.
  explicit Model(const Experiment& experiment, Weights weights = Weights::initial);

  Encoder& encoder(const std::string& name) const;
  /// The same for users that outlive the model.
  std::shared_ptr<Encoder> shared_encoder(const std::string& name) const;
  std::vector<std::string> names() const;
  /// Everything, under encoder_prefix.
  std::vector<nn::NamedTensor> state() const;
  /// Takes one encoder's tensors from a PyTorch or safetensors file, whatever their prefix, as nn::load_published does.
  /// From a file with nothing of the head (published before alignment) comes the backbone; the head stays as it is.
  /// A model without weights uses the file's bytes where they stand. Says whether the head came, too. Throws Error
  /// listing what is missing, misshapen or unexpected.
  bool load(const std::string& encoder, const std::string& path) const;
  /// The same from the tensors of a file, which `path` names in messages.
  bool load(const std::string& encoder, std::vector<nn::NamedTensor> tensors, const std::string& path) const;

 private:
  Weights weights_;
  std::vector<std::pair<std::string, std::shared_ptr<Encoder>>> encoders_;
};

}  // namespace astroclip
