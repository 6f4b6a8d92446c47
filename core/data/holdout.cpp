#include "data/holdout.h"

#include "base/rng.h"
#include "data/objects.h"

namespace astroclip::data {

RowSplit split_validation(const Dataset& dataset, std::vector<int64_t> rows, double share, uint64_t seed) {
  if (share == 0.0) return {std::move(rows), {}};
  const std::vector<int64_t> objects = group_objects(dataset, Split::train).ids;
  RowSplit split;
  for (const int64_t row : rows) {
    const auto object = static_cast<uint64_t>(objects[static_cast<size_t>(row)]);
    const bool held = Rng(seed, RngStream::validation, object).uniform() < share;
    (held ? split.validation : split.training).push_back(row);
  }
  return split;
}

}  // namespace astroclip::data
