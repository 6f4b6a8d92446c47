#pragma once

#include <string>

#include "api/plugin.h"
#include "nn/module.h"
#include "tensor/tensor.h"

namespace astroclip {

/// What a backbone gives. B objects, T tokens, width D.
struct Encoded {
  Tensor summary;  ///< [B, D] class token; undefined for encoders without one
  Tensor tokens;   ///< [B, T, D] after the final norm, without the class token
};

/// How the tokens enter the backbone.
enum class TokenForm {
  pretraining,  ///< with everything the backbone was pretrained with (class token, positions)
  alignment,    ///< as the alignment stage calls it; the published image tower drops class token and positions
};

/// A modality's tower: raw measurement → tokens → backbone → embedding. Registers its backbone as child "backbone"
/// and its head's parts beside it, so that names match the published two-tower files
/// ("backbone.…", "cross_attention.…", "mlp.…").
class Encoder : public nn::Module, public Plugin {
 public:
  /// "image" or "spectrum" (or what a plugin brings).
  virtual std::string modality() const = 0;
  /// Shape of one raw object, e.g. [3, 144, 144] (RGB planes in 0..1) or [7781] (flux).
  virtual Shape input_shape() const = 0;
  /// Shape [T, F] of one object's tokens: the target of masked modelling.
  virtual Shape token_shape() const = 0;
  /// Width D of the backbone's tokens.
  virtual int64_t width() const = 0;
  /// Width E of embed's result.
  virtual int64_t embedding_width() const = 0;

  /// raw [B, input_shape] → tokens [B, T, F]. Carries no gradient.
  virtual Tensor tokenize(const Tensor& raw) const = 0;
  /// raw [B, input_shape] → [B, T, F]: each value where `tokenize` puts it, as it is; 1 in entries that hold none.
  /// So what is known of single values (whether they were observed) is known of tokens. Throws Error where tokens hold
  /// no single values.
  virtual Tensor arrange(const Tensor& /*raw*/) const {
    throw Error("encoder for '" + modality() + "': its tokens hold no single values of what was observed");
  }
  /// tokens [B, T, F] → features. `mask` [B, T], 1 where a token is hidden from the backbone, may be undefined.
  virtual Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm form) const = 0;
  /// features → [B, T, F], the tokens as the backbone reconstructs them. Throws Error where there is no such head.
  virtual Tensor reconstruct(const Encoded& encoded) const = 0;
  /// features (TokenForm::alignment) → [B, E]: the head that alignment trains.
  virtual Tensor embed(const Encoded& encoded) const = 0;
  /// features (TokenForm::pretraining) → [B, D], the embedding before alignment: class token, or mean token.
  virtual Tensor pool(const Encoded& encoded) const = 0;
};

}  // namespace astroclip
