#pragma once

#include <string>
#include <vector>

#include "config/value.h"
#include "experiment/experiment.h"

namespace astroclip {

/// What results depend on beside the text of their experiment, as named facts that are compared before results are
/// reused.
struct Provenance {
  config::Table dataset;  ///< fingerprint(Dataset)
  config::Table code;     ///< hashes of shared objects: "astroclip", "encoder vit"
  config::Table files;    ///< hashes of files of weights, by path
  /// Versions of libraries, and the device: for readers, not compared.
  config::Table libraries = {};
  /// What check_unchanged accepted when the run was resumed.
  std::vector<std::string> accepted = {};
  /// The dataset's files now, for messages; no part of the text.
  std::vector<std::string> dataset_files = {};

  bool empty() const { return dataset.empty() && code.empty() && files.empty(); }
  /// TOML, for files and their metadata.
  std::string text() const;
  /// Reads such a text; from "" nothing. Throws Error naming `place`.
  static Provenance parse(const std::string& text, const std::string& place);
};

/// Of an experiment whose dataset has this fingerprint.
Provenance provenance_of(const Experiment& experiment, const config::Table& dataset);

/// Hashes of astroclip and of every plugin that `value` names, at any depth.
config::Table code_of(const config::Value& value);

/// What two results were not made from alike, of the facts that both have: "the dataset's labels", "encoder 'vit'".
std::vector<std::string> differences(const Provenance& a, const Provenance& b);

/// Whether results of an earlier build of astroclip or its plugins may be reused.
enum class Rebuilt { refuse, accept };

/// Compares what a result was made from (`then`) with what there is now. Throws Error with the difference in one
/// sentence that begins with `place`; `advice` says what to do where only code differs. Facts that only one of the two
/// has are not compared. Returns what was accepted as a sentence, or "".
std::string check_unchanged(const Provenance& then, const Provenance& now, const std::string& place, Rebuilt rebuilt,
                            const std::string& advice = "--accept-rebuilt goes on with what there is now");

}  // namespace astroclip
