#include "api/task.h"

#include <algorithm>
#include <numeric>

namespace astroclip {

Vectors of_all(Matrix values) {
  std::vector<int64_t> objects(static_cast<size_t>(values.rows));
  std::iota(objects.begin(), objects.end(), int64_t{0});
  return {std::move(values), std::move(objects)};
}

Vectors of_some(const Vectors& vectors, std::span<const int64_t> objects) {
  std::vector<int64_t> rows;
  for (const int64_t object : objects) {
    rows.push_back(std::ranges::lower_bound(vectors.objects, object) - vectors.objects.begin());
  }
  return {select_rows(vectors.values, rows), {objects.begin(), objects.end()}, vectors.tokens};
}

}  // namespace astroclip
