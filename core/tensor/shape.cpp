#include "tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"

namespace astroclip {

Shape::Shape(std::span<const int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  if (extents.size() > max_rank) {
    throw Error(fmt::format("[shape] at most {} axes are supported, found {}", max_rank, extents.size()));
  }
  if (std::ranges::any_of(extents, [](int64_t extent) { return extent < 0; })) {
    throw Error(fmt::format("[shape] negative extent in [{}]", fmt::join(extents, ", ")));
  }
  std::ranges::copy(extents, extents_.begin());
}

int64_t Shape::numel() const {
  int64_t product = 1;
  for (const int64_t extent : *this) product *= extent;
  return product;
}

int64_t Shape::operator[](int axis) const {
  const int index = axis < 0 ? axis + rank_ : axis;
  if (index < 0 || index >= rank_) {
    throw Error(fmt::format("[shape] {} has no axis {}", str(), axis));
  }
  return extents_[index];
}

Shape Shape::with(int axis, int64_t extent) const {
  Shape changed = *this;
  (void)changed[axis];
  changed.extents_[axis < 0 ? axis + rank_ : axis] = extent;
  return changed;
}

std::string Shape::str() const { return fmt::format("[{}]", fmt::join(extents(), ", ")); }

}  // namespace astroclip
