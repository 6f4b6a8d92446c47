#pragma once

#include "backend/backend.h"
#include "nn/module.h"

namespace astroclip::bench {

/// Uniform between `low` and `high`, in the backend's dtype. After a million the values repeat.
Tensor uniform(const Shape& shape, double low, double high, Device device);
/// Gives a module's state values as large as trained ones. Drawing the initial ones of 300 M parameters would take
/// longer than most rows.
void set_weights(const std::vector<NamedTensor>& state);
/// The same with storage.
void set_weights(nn::Module& module, Device device);

}  // namespace astroclip::bench
