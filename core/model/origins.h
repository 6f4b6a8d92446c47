#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/weights/safetensors.h"
#include "model/model.h"

namespace astroclip {

/// Where weights come from, from the least telling to the most.
enum class Origin {
  initial,  ///< drawn at random; no gradient of a stage's loss has reached them
  file,     ///< a file that does not tell
  trained,  ///< a stage
  aligned,  ///< a stage whose loss brings the encoders of several modalities together
};

struct PartOrigins {
  Origin backbone = Origin::initial, head = Origin::initial;
};

/// By encoder.
using Origins = std::map<std::string, PartOrigins>;

/// After a stage whose loss's gradient reached the parameters of these full names ("image_encoder.mlp.encoder.weight").
void add_stage(Origins& origins, const Model& model, const std::vector<std::string>& reached);

/// Whether an encoder has a head besides its backbone; if not, its embedding is as good as its backbone.
bool has_own_head(const Encoder& encoder);

/// After an encoder's weights were taken from a file, with its head or without.
void add_file(Origins& origins, const std::string& encoder, const std::string& path, bool with_head);

/// As metadata of a model file: "origin.image.head" = "aligned".
io::Metadata origins_metadata(const Origins& origins);
/// From metadata of a model file; nothing of encoders that it does not tell of.
Origins read_origins(const io::Metadata& metadata);

/// Whether an encoder's head has weights that mean something; true for one of which nothing is known.
bool has_meaning(const Origins& origins, const std::string& encoder);

/// What tables call an embedding of an encoder, from its head or its backbone: "aligned", "before alignment" …
std::string embedding_name(const PartOrigins& origins, bool head);

}  // namespace astroclip
