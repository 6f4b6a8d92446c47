#pragma once

#include <cstdint>
#include <optional>

#include "tensor/tensor.h"

namespace astroclip {

/// The least and the greatest number of an i64 tensor.
struct IndexBounds {
  int64_t least = 0, greatest = 0;
};

/// What the upload of an index to a device's own memory found; none for other tensors, which would have to be read.
std::optional<IndexBounds> known_bounds(const Tensor& index);

}  // namespace astroclip
