#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "embed/inputs.h"
#include "evaluate/embedder.h"
#include "io/weights/weights_file.h"
#include "model/model.h"
#include "model/model_file.h"
#include "model/origins.h"

namespace astroclip::embed {

/// A model of a file, to embed objects with.
class LoadedModel {
 public:
  /// Reads the file's tensors and what they are of: as `architecture` (a TOML file) says, or as the file does ("").
  /// Throws Error when the tensors are others than the file says.
  LoadedModel(std::string path, std::string architecture);

  const std::string& path() const { return path_; }
  const ModelDescription& description() const { return description_; }
  /// Where its weights come from, as far as the file says.
  const Origins& origins() const { return origins_; }

  /// Puts encoders of the description on a device; call once. `head`: embeddings are their heads', not their
  /// backbones'. `say` is told where encoders come from whose architecture is not the file's. Throws Error when a head
  /// is wanted that no stage has trained.
  void load(const std::vector<EncoderSpec>& encoders, Device device, Precision precision, bool head,
            const std::function<void(const std::string& sentence)>& say = {});
  const Model& model() const { return *model_; }
  const std::vector<evaluate::Embedder>& embedders() const { return embedders_; }

  /// Vectors of one object of an input that took_views(), by encoder: of those whose modality it has, and whose
  /// measurements are finite.
  std::map<std::string, std::vector<float>> embed(const Input& input, int64_t row) const;

  /// Whether an encoder of a modality reconstructs its tokens (masked_spectrum trains it to), as far as is known with
  /// weights that mean something.
  bool reconstructs(const std::string& modality) const { return rebuilder(modality) != nullptr; }
  /// A raw input [values] of one object of an input that took_views(), as that encoder sees it: each part of it as it
  /// is predicted from the rest, which takes three passes. NaN for values that no token holds. Empty without such an
  /// encoder, and for an object without the modality or with values that are not finite.
  std::vector<float> reconstruct(const std::string& modality, const Input& input, int64_t row) const;

 private:
  const evaluate::Embedder* rebuilder(const std::string& modality) const;
  /// The view of one object, if it has the modality and is finite.
  std::optional<HostArray> view_of(const evaluate::Embedder& embedder, const Input& input, int64_t row) const;

  std::string path_, architecture_;
  io::WeightsFile weights_;  ///< empty once the model has them
  ModelDescription description_;
  Origins origins_;
  std::unique_ptr<Model> model_;
  std::vector<evaluate::Embedder> embedders_;
};

}  // namespace astroclip::embed
