#include "nn/host_copy.h"

namespace astroclip::nn {

const std::vector<double>& HostCopy::of(const Tensor& buffer) {
  if (storage_ != buffer.storage() || version_ != storage_->version()) {
    values_ = buffer.to_doubles();
    storage_ = buffer.storage();
    version_ = storage_->version();
  }
  return values_;
}

void HostCopy::write(Tensor& buffer, std::vector<double> values) {
  buffer.copy_from(Tensor::from_host(values, buffer.shape(), buffer.dtype(), buffer.device()));
  if (buffer.dtype() == DType::f32) {
    for (double& value : values) value = static_cast<float>(value);
  }
  values_ = std::move(values);
  storage_ = buffer.storage();
  version_ = storage_->version();
}

}  // namespace astroclip::nn
