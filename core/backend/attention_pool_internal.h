#pragma once

#include "backend/backend.h"

namespace astroclip {

/// Backend::attention_pool and its gradient as products, permutations and softmax of that backend. `device` is the
/// backend's. Tokens may have any float dtype.
void attention_pool_by_products(Backend& backend, Device device, const AttentionPoolArguments& arguments);
void attention_pool_backward_by_products(Backend& backend, Device device,
                                         const AttentionPoolBackwardArguments& arguments);

}  // namespace astroclip
