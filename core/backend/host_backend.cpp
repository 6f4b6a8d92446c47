#include "backend/host_backend.h"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace astroclip
