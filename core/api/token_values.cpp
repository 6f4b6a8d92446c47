#include "api/token_values.h"

#include <cmath>
#include <numeric>

namespace astroclip {

std::vector<int64_t> values_of_entries(const TokenGrid& grid, const Tensor& raw) {
  // 1 stands where an entry holds no value, so that values count from 2.
  std::vector<double> numbers(static_cast<size_t>(raw.size(1)));
  std::iota(numbers.begin(), numbers.end(), 2.0);
  const Tensor row = Tensor::from_host(numbers, {1, raw.size(1)}, raw.dtype(), raw.device());
  std::vector<int64_t> entries;
  for (const double number : grid.token_grid(row).to_doubles())
    entries.push_back(number == 1.0 ? -1 : static_cast<int64_t>(number) - 2);
  return entries;
}

std::vector<double> values_predicted(const std::vector<double>& raw, const std::vector<double>& tokens,
                                     const std::vector<double>& predicted, const std::vector<double>& hidden,
                                     const std::vector<int64_t>& entries) {
  double n = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;
  std::vector<double> sum(raw.size(), 0.0), count = sum;
  const size_t width = tokens.size() / hidden.size();
  for (size_t entry = 0; entry < tokens.size(); ++entry) {
    if (entries[entry] < 0) continue;
    const auto value = static_cast<size_t>(entries[entry]);
    n += 1.0;
    x += tokens[entry];
    y += raw[value];
    xx += tokens[entry] * tokens[entry];
    xy += tokens[entry] * raw[value];
    if (hidden[entry / width] == 0.0) continue;
    sum[value] += predicted[entry];
    count[value] += 1.0;
  }
  const double variance = n * xx - x * x, slope = variance > 0.0 ? (n * xy - x * y) / variance : 0.0;
  const double offset = (y - slope * x) / n;
  std::vector<double> values;
  for (size_t value = 0; value < raw.size(); ++value)
    values.push_back(count[value] > 0.0 ? slope * sum[value] / count[value] + offset : std::nan(""));
  return values;
}

}  // namespace astroclip
