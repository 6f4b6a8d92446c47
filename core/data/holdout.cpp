#include "data/holdout.h"

#include "base/rng.h"
#include "data/fields.h"

namespace astroclip::data {

RowSplit split_validation(const Dataset& dataset, std::vector<int64_t> rows, double share, uint64_t seed) {
  if (share == 0.0) return {std::move(rows), {}};
  const std::vector<int64_t> ids = read_ids(dataset, Split::train, rows);
  RowSplit split;
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool held = Rng(seed, RngStream::validation, static_cast<uint64_t>(ids[i])).uniform() < share;
    (held ? split.validation : split.training).push_back(rows[i]);
  }
  return split;
}

}  // namespace astroclip::data
