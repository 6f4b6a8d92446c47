#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/value.h"
#include "experiment/provenance.h"
#include "nn/module.h"

namespace astroclip::record {

/// The progress of a run, and what must be equal for it to resume with the same bits.
struct Position {
  int64_t stage = 0;
  int64_t step = 0;              ///< finished steps of the stage
  int threads = 1;               ///< compute threads
  std::string instructions;      ///< instruction-set tier the kernels ran on
  std::string device = {};       ///< device_description: card, driver and libraries; "" of the host
  config::Table selection = {};  ///< which validation was the best (train::Selection); empty without validations
  config::Table watch = {};      ///< what looks for a collapse found (train::CollapseWatch); empty without
  int64_t skipped = 0;           ///< steps of the stage that were left out because something was not finite
  int64_t skipped_in_a_row = 0;  ///< of those, the latest ones
  Provenance provenance = {};    ///< data and code so far
};

/// A checkpoint's file and what its metadata says.
struct Checkpoint {
  std::string path;
  Position position;
};

/// Writes one file, complete or absent: all tensors, with the position in its metadata.
void write_checkpoint(const std::string& path, const Position& position, const std::vector<NamedTensor>& tensors);

/// Throws Error naming the path when the file is not a checkpoint.
Position read_position(const std::string& path);

/// Copies a checkpoint's tensors into `targets` by name. Throws Error naming the first tensor that is missing or has
/// another shape.
void restore(const std::string& path, std::vector<NamedTensor>& targets);

/// The furthest checkpoint of a folder; none when there is none.
std::optional<Checkpoint> latest_checkpoint(const std::string& folder);

/// "stage-01-step-00000400.safetensors"
std::string checkpoint_name(const Position& position);

/// Removes all but the latest `keep` checkpoints.
void prune_checkpoints(const std::string& folder, size_t keep);

}  // namespace astroclip::record
