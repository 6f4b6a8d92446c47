#pragma once

#include <string>
#include <vector>

#include "run/run.h"

namespace astroclip::embed {

struct Request {
  std::string model;                     ///< file of weights
  std::string architecture;              ///< TOML file with [encoders.*]; "": as the model file says
  std::vector<std::string> inputs;       ///< files, folders, patterns
  std::string dataset;                   ///< instead: a dataset plugin, or a TOML file with the section [dataset]
  std::vector<std::string> assignments;  ///< "dataset.key=value", for the dataset
  std::string output;                    ///< HDF5
  std::vector<std::string> modalities;   ///< the model's encoders to use; none: those whose modality an input has
  std::string embedding = "head";        ///< or "pool": before alignment, the class token or the mean token
  std::vector<std::string> probes;       ///< files of fitted probes, applied to the embeddings
  std::string device = "auto";           ///< as experiments name it
  std::string precision = "auto";        ///< "f32", "bf16"; "auto": the begun output's, or what fastest_precision says
  int64_t batch = 32;                    ///< objects embedded at once
  int64_t threads = 0;                   ///< 0: one for each core
  int64_t loader_threads = 1;
};

/// Embeds every object of the inputs, in their order, with bounded memory. The output has `ENCODER_embeddings` [N, E]
/// (NaN in rows of objects without the modality), `ENCODER_LABEL_METHOD` [N] or [N, outputs] of each probe, `object_id`
/// [N], and the request in its attributes. It gets its final
/// name when it is complete; until then, the same call resumes after the last finished batches and ends with the same
/// bytes. Ctrl-C stops it after a batch (Outcome::interrupted). Throws Error when the model takes other views than the
/// inputs have, when a probe was fitted on other embeddings, or when the output belongs to another request.
run::Outcome embed(const Request& request);

}  // namespace astroclip::embed
