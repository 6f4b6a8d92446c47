#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiment/experiment.h"
#include "nn/module.h"

namespace astroclip::record {

/// How far a run has come, and what must be the same for it to go on bit for bit.
struct Position {
  int64_t stage = 0;
  int64_t step = 0;  ///< steps of the stage that are done
  int64_t optimizer_steps = 0;
  int threads = 1;           ///< compute threads
  std::string instructions;  ///< instruction-set tier the kernels ran on
};

/// One file, complete or absent: all tensors, and the position in its metadata.
void write_checkpoint(const std::string& path, const Position& position, const std::vector<nn::NamedTensor>& tensors);

/// The position in a checkpoint. Throws Error naming the path when it is none.
Position read_position(const std::string& path);

/// Copies a checkpoint's tensors into `targets` by name. Throws Error naming the first that is missing or misshapen.
void restore(const std::string& path, std::vector<nn::NamedTensor>& targets);

/// The furthest checkpoint of a folder, and its position; none when there is none.
std::optional<std::pair<std::string, Position>> latest_checkpoint(const std::string& folder);

/// "stage-01-step-00000400.safetensors"
std::string checkpoint_name(const Position& position);

/// Removes all but the furthest `keep` checkpoints.
void prune_checkpoints(const std::string& folder, size_t keep);

}  // namespace astroclip::record
