#pragma once

#include <functional>

#include "search/knn.h"

namespace astroclip::search {

/// As nearest() without it; `between` is called now and then, and may throw to end the search.
Neighbours nearest(const Matrix& queries, const Matrix& among, int64_t k, const std::function<void()>& between);

}  // namespace astroclip::search
