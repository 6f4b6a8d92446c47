#pragma once

#include <string>

#include "api/plugin.h"
#include "nn/module.h"
#include "tensor/tensor.h"

namespace astroclip {

/// What a backbone gives. B objects, T tokens, width D.
struct Encoded {
  Tensor cls_token;  ///< [B, D]; undefined for encoders without one
  Tensor tokens;     ///< [B, T, D] after the final norm, without the class token; for alignment may be bf16 on cards
};

/// How the tokens enter the backbone.
enum class TokenForm {
  pretraining,  ///< with everything the backbone was pretrained with (class token, positions)
  alignment,    ///< as the alignment stage calls it; the published image tower drops class token and positions
};

/// A modality's tower: raw measurement → tokens → backbone → embedding. Registers all that `encode` uses as child
/// "backbone" and its head's parts beside it, so that names match the published two-tower files ("backbone.…",
/// "cross_attention.…", "mlp.…") and a backbone that neither trains nor drops units is known to give the same features
/// at every step.
class Encoder : public nn::Module, public Plugin {
 public:
  /// "image" or "spectrum" (or what a plugin brings).
  virtual std::string modality() const = 0;
  /// Shape of one raw object, e.g. [3, 144, 144] (RGB planes in 0..1) or [7781] (flux).
  virtual Shape input_shape() const = 0;
  /// Shape [T, F] of one object's tokens: the target of masked modelling.
  virtual Shape token_shape() const = 0;
  /// Width D of the backbone's tokens.
  virtual int64_t dim() const = 0;
  /// Width E of embed's result.
  virtual int64_t embedding_width() const = 0;

  /// raw [B, input_shape] → tokens [B, T, F]. Carries no gradient.
  virtual Tensor tokenize(const Tensor& raw) const = 0;
  /// tokens [B, T, F] → features. `mask` [B, T], 1 where a token is hidden from the backbone, may be undefined.
  virtual Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm form) const = 0;
  /// features (TokenForm::alignment) → [B, E]: the head that alignment trains.
  virtual Tensor embed(const Encoded& encoded) const = 0;
  /// features (TokenForm::pretraining) → [B, D], the embedding before alignment: class token, or mean token.
  virtual Tensor pool(const Encoded& encoded) const = 0;
};

// What only some encoders can do: those derive from it beside Encoder. A loss asks for it in `attach`, so that `check`
// finds an encoder without.

/// A head that reconstructs tokens, for masked modelling.
class Reconstruction {
 public:
  static constexpr const char* lacking = "cannot reconstruct its tokens";
  virtual ~Reconstruction();
  /// features (TokenForm::pretraining) → [B, T, F]
  virtual Tensor reconstruct(const Encoded& encoded) const = 0;
};

/// Tokens that hold single values of the raw input: what is known of values (whether they were observed) is known of
/// tokens.
class TokenGrid {
 public:
  static constexpr const char* lacking = "has tokens that hold no single values of its input";
  virtual ~TokenGrid();
  /// raw [B, input_shape] → [B, T, F]: each value, unchanged, where `tokenize` puts it; 1 in entries that hold none.
  virtual Tensor token_grid(const Tensor& raw) const = 0;
};

/// Reconstruction or TokenGrid of an encoder. Throws Error naming an encoder that lacks it.
template <class Ability>
const Ability& ability(const Encoder& encoder) {
  if (const auto* found = dynamic_cast<const Ability*>(&encoder)) return *found;
  throw Error("encoder '" + encoder.plugin_name() + "' " + Ability::lacking);
}

}  // namespace astroclip
