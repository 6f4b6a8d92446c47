#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "probe/probes.h"
#include "probe/protocol.h"

namespace astroclip::probe {

/// A probe with what its use on other vectors needs. It is saved as one safetensors file: tensors "column_mean" and
/// "column_scale" [columns] and those of the probe, and metadata "probe" (the method), "predicts", "outputs" (one a
/// line), "target", "protocol" and what else is told of it.
struct FittedProbe {
  std::string method = {};                ///< "knn", "ridge", "logistic", "mlp", "attentive", "…_flow"
  std::string predicts = {};              ///< a label, a question
  std::vector<std::string> outputs = {};  ///< a label, or an answer, for each
  Target target = Target::numbers;
  Protocol protocol = Protocol::own;
  Standardiser standardise = {};
  std::shared_ptr<const Probe> probe = nullptr;

  /// Vectors as the encoder gives them, of an attentive probe the tokens of one object after those of another, to
  /// [objects, outputs]. Throws Error when the number of columns differs.
  std::vector<double> predict(const Matrix& vectors) const;
  std::vector<NamedTensor> tensors() const;
  std::map<std::string, std::string> metadata() const;
};

/// A file of a fitted probe with the rest of its metadata, such as "model_hash".
struct ProbeFile {
  FittedProbe fitted = {};
  std::map<std::string, std::string> metadata = {};
  /// An entry of the metadata, "" without it.
  std::string operator[](const std::string& name) const;
};

/// Throws Error naming the path when it is no such file.
ProbeFile read_probe(const std::string& path);

}  // namespace astroclip::probe
