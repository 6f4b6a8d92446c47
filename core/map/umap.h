#pragma once

#include <cstdint>
#include <vector>

#include "map/keeper.h"
#include "tensor/matrix.h"

namespace astroclip::map {

struct UmapOptions {
  int64_t neighbours = 15;  ///< of the graph, the object itself among them
  int64_t epochs = 0;       ///< 0: 500 of up to 10,000 objects, else 200
  uint64_t seed = 1;
};

/// Of each row the distances to its other neighbours in the graph; 0 without others.
struct NeighbourDistances {
  std::vector<float> mean, least;
};

/// Positions in the plane [rows, 2] by UMAP (McInnes, Healy & Melville 2018, arXiv:1802.03426) of Euclidean distances,
/// with min_dist 0.1 and spread 1. The graph is of exact neighbours, the start is the plane of the first two principal
/// components, and all draws are keyed by seed, epoch and row: the same bits for any number of threads. Throws Error
/// for a row that is not finite, and without rows. `distances` is filled if given. With a keeper for these rows and
/// options, it goes on where an earlier call was ended, to the same bits.
Matrix umap(const Matrix& rows, const UmapOptions& options, const Progress& progress = {},
            NeighbourDistances* distances = nullptr, const Keeper* keeper = nullptr);

}  // namespace astroclip::map
