#include "data/holdout.h"

#include <string>

#include "base/rng.h"

namespace astroclip::data {

Parted set_apart(const Dataset& dataset, std::vector<int64_t> rows, double share, uint64_t seed) {
  if (share == 0.0) return {std::move(rows), {}};
  HostBatch columns;
  dataset.read(Split::train, rows, std::vector<std::string>{"object_id"}, columns);
  const auto ids = columns.at("object_id").values<int64_t>();
  Parted parted;
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool held = Rng(seed, Purpose::validation, static_cast<uint64_t>(ids[i])).uniform() < share;
    (held ? parted.validation : parted.training).push_back(rows[i]);
  }
  return parted;
}

}  // namespace astroclip::data
