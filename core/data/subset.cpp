#include "data/subset.h"

namespace astroclip::data {

Subset::Subset(const Dataset& all, std::vector<int64_t> train, std::vector<int64_t> test)
    : all_(all), train_(std::move(train)), test_(std::move(test)) {}

std::vector<int64_t> Subset::rows_of_all(Split split, std::span<const int64_t> rows) const {
  std::vector<int64_t> wanted;
  for (const int64_t row : rows) wanted.push_back(rows_of(split).at(static_cast<size_t>(row)));
  return wanted;
}

void Subset::read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
                  HostBatch& out) const {
  all_.read(split, rows_of_all(split, rows), names, out);
}

}  // namespace astroclip::data
