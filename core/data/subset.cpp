#include "data/subset.h"

namespace astroclip::data {

Subset::Subset(const Dataset& all, std::vector<int64_t> train, std::vector<int64_t> test)
    : all_(all), train_(std::move(train)), test_(std::move(test)) {}

void Subset::read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
                  HostBatch& out) const {
  std::vector<int64_t> wanted;
  for (const int64_t row : rows) wanted.push_back(rows_of(split).at(static_cast<size_t>(row)));
  all_.read(split, wanted, names, out);
}

}  // namespace astroclip::data
