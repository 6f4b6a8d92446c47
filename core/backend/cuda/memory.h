#pragma once

#include "tensor/caching_memory_internal.h"

namespace astroclip::cuda {

/// The card's memory. Blocks are aligned to 256. Copies run in the order of the card's stream; only a copy to the host
/// waits for it.
class CardMemory final : public CachingMemory {
 public:
  void copy_from_host(void* device, const void* host, int64_t bytes) override;
  void copy_to_host(void* host, const void* device, int64_t bytes) override;
  void copy(void* to, const void* from, int64_t bytes) override;
  void set_zero(void* block, int64_t bytes) override;

 private:
  int64_t alignment_of(int64_t) const override { return 256; }
  void* take(int64_t size) override;
  void give_back(void* block, int64_t size) override;
  std::string refusal(int64_t size, int64_t used) const override;
};

}  // namespace astroclip::cuda
