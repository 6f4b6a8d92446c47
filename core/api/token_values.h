#pragma once

#include <cstdint>
#include <vector>

#include "api/encoder.h"

namespace astroclip {

/// Which value of a raw input each entry of its tokens holds, from 0, along [T·F]; −1 where it holds none. `raw`
/// [B, values] is any input.
std::vector<int64_t> values_of_entries(const TokenGrid& grid, const Tensor& raw);

/// What predicted tokens say of one raw input: for each value the mean over its entries in tokens whose `hidden` [T] is
/// not 0; NaN where there is none. Entries are the input's values shifted and scaled, and a line through `tokens` [T·F]
/// and `raw` takes predictions back.
std::vector<double> values_predicted(const std::vector<double>& raw, const std::vector<double>& tokens,
                                     const std::vector<double>& predicted, const std::vector<double>& hidden,
                                     const std::vector<int64_t>& entries);

}  // namespace astroclip
