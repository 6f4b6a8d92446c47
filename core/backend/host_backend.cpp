#include "backend/host_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "backend/attention_pool_internal.h"
#include "base/error.h"

namespace astroclip {

namespace {

class ReadyEvent final : public Event {
 public:
  void wait() override {}
};

}  // namespace

std::unique_ptr<Event> HostBackend::record_event() { return std::make_unique<ReadyEvent>(); }

void* HostBackend::allocate_pinned(int64_t bytes) {
  void* block = std::aligned_alloc(64, static_cast<size_t>((std::max<int64_t>(bytes, 1) + 63) / 64 * 64));
  if (block == nullptr) throw Error(fmt::format("[memory] the host has no {} bytes left", bytes));
  return block;
}

void HostBackend::copy_async(Tensor& to, const void* pinned) {
  memory_of(to.device()).copy_from_host(to.mutable_data(), pinned, to.bytes());
}

void HostBackend::copy_async(void* pinned, const Tensor& from) {
  memory_of(from.device()).copy_to_host(pinned, from.data(), from.bytes());
}

void HostBackend::attention_pool(const AttentionPoolArguments& arguments) {
  attention_pool_by_products(*this, Device::host(), arguments);
}

void HostBackend::attention_pool_backward(const AttentionPoolBackwardArguments& arguments) {
  attention_pool_backward_by_products(*this, Device::host(), arguments);
}

void HostBackend::set_clip_state(double norm, double max_norm, View state) {
  double* out = state.as<double>();
  out[0] = norm;
  out[1] = max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
  out[2] = std::isfinite(norm) ? 1.0 : 0.0;
}

}  // namespace astroclip
