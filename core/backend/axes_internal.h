#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/shape.h"

/// How kernels walk through arrays of several axes, with as few axes as that takes.
namespace astroclip {

using Extents = std::array<int64_t, Shape::max_rank>;

/// The axes of a broadcast, innermost first, neighbours merged wherever both operands step through them evenly.
struct Broadcast {
  int rank = 0;
  Extents extent{}, a_stride{}, b_stride{};
};
Broadcast plan_broadcast(const Shape& a, const Shape& b, const Shape& y);

/// A permutation with neighbouring axes that stay together merged: y's extents and the stride of x along each.
struct Walk {
  int rank = 0;
  Extents extent{}, stride{};
};
Walk plan_permutation(const Shape& x, std::span<const int> order);

/// An array [outer, middle, inner] that is reduced to [outer, inner].
struct Fold {
  int64_t outer, middle, inner;
};
/// The folds that reduce x, which is not empty, to y's shape, each of the previous one's result: one for each group of
/// neighbouring reduced axes, from the last.
std::vector<Fold> plan_folds(const Shape& x, const Shape& y);

}  // namespace astroclip
