#pragma once

#include <string>
#include <vector>

#include "io/output/row_file.h"
#include "probe/probe_file.h"
#include "tensor/matrix.h"

namespace astroclip::embed {

/// Which embeddings are written.
struct EmbeddingKind {
  std::string model, model_hash;  ///< the model's file, its hash
  std::string embedding;          ///< "head" or "pool"
};

/// A fitted probe whose predictions are written beside the embeddings.
class AppliedProbe {
 public:
  /// Throws Error unless the file's probe was fitted on such embeddings.
  AppliedProbe(std::string path, const EmbeddingKind& kind);

  const std::string& path() const { return path_; }
  /// The encoder whose embedding it takes.
  const std::string& encoder() const { return encoder_; }
  io::RowFile::Column column() const;
  /// For the output's attributes.
  const std::string& description() const { return description_; }
  /// Throws Error unless it takes vectors of this width.
  void check_width(int64_t width) const;
  /// Whether it takes the encoder's tokens in place of its embedding.
  bool reads_tokens() const { return fitted_.method == "attentive"; }
  /// From a row of each object, of its vector or of all its tokens, to [rows, outputs]; NaN where it is not finite.
  std::vector<double> predict(const Matrix& features) const;

 private:
  int64_t outputs() const { return std::ssize(fitted_.outputs); }

  std::string path_, encoder_, column_, description_;
  probe::FittedProbe fitted_;
};

}  // namespace astroclip::embed
