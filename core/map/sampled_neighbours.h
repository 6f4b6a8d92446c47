#pragma once

#include <cstdint>

#include "map/umap.h"
#include "map/unit_rows.h"

namespace astroclip::map {

/// Which pairs of rows are compared.
struct SampledOptions {
  int64_t references = 20000;  ///< rows at random that all are compared with
  int64_t neighbours = 14;     ///< references whose distances are averaged
  int64_t cells = 3;           ///< references among whose rows a row's nearest is looked for
  int64_t most_of_cell = 8192;
  uint64_t seed = 1;
};

/// Distances to neighbours of more rows than can all be compared with each other. `mean` is to the nearest of the
/// references, without the row itself: how far a row is from a small random sample orders outliers about as its
/// distance to its nearest neighbours among all does (Sugiyama & Borgwardt 2013, "Rapid distance-based outlier
/// detection via sampling"). `least` is to the nearest row that was found, and never too small: a row is compared with
/// those of which one of its `cells` nearest references is the nearest; of more than `most_of_cell` with those whose
/// distances to the reference are most like its own, as those of near-duplicates are. The same for any number of
/// threads. With a keeper for these rows and options it goes on where an earlier call was ended. Needs more rows than
/// references.
NeighbourDistances sampled_distances(const UnitRows& rows, const SampledOptions& options, const Progress& progress = {},
                                     const Keeper* keeper = nullptr);

}  // namespace astroclip::map
