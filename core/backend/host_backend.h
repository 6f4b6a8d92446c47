#pragma once

#include <cstdlib>
#include <memory>

#include "backend/backend.h"

namespace astroclip {

/// What the host backends share: kernels have finished when they return, so events are ready at once and pinned
/// memory is plain memory; attention pooling consists of products.
class HostBackend : public Backend {
 public:
  void synchronize() override {}
  std::unique_ptr<Event> record_event() override;
  void* allocate_pinned(int64_t bytes) override;
  void release_pinned(void* block) override { std::free(block); }
  void copy_async(Tensor& to, const void* pinned) override;
  void copy_async(void* pinned, const Tensor& from) override;
  void attention_pool(const AttentionPoolArguments& arguments) override;
  void attention_pool_backward(const AttentionPoolBackwardArguments& arguments) override;

 protected:
  /// Writes the state that gradient_clip gives for gradients of that norm.
  static void set_clip_state(double norm, double max_norm, View state);
};

}  // namespace astroclip
