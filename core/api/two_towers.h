#pragma once

#include <string>
#include <vector>

#include "api/loss.h"

namespace astroclip {

/// One view of each of the stage's modalities, under the modality's name.
std::vector<ViewRequest> view_of_each(const LossSetup& setup, bool augment);

/// The stage's two modalities, for a loss that aligns them. Throws Error, beginning with the loss's name, unless there
/// are exactly two and their heads are equally wide.
std::vector<std::string> two_aligned_modalities(const LossSetup& setup, const std::string& loss);

/// Norm below which an embedding is not blown up to unit length; published.
inline constexpr double smallest_embedding_norm = 1e-3;

}  // namespace astroclip
