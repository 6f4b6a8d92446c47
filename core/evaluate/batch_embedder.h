#pragma once

#include <cstdint>
#include <memory>

#include "api/dataset.h"
#include "backend/backend.h"
#include "evaluate/embedder.h"
#include "tensor/tensor.h"

namespace astroclip::evaluate {

/// Embeds batch after batch with an encoder whose weights stay as they are meanwhile. Small batches of one shape run,
/// from the third on, as a replay of captured work where the device has that, with the same bits: the host's part of a
/// pass takes longer than the device's there.
class BatchEmbedder {
 public:
  /// The largest batch that is replayed. A ViT-L's blocks gain from it at 16 objects and not at 64 (docs/gpu.md).
  static constexpr int64_t most_replayed = 16;

  explicit BatchEmbedder(Embedder embedder) : embedder_(std::move(embedder)) {}
  /// Views [objects, input shape]. The next call overwrites what it gives, behind what has been queued until then.
  Embedded embed(const HostArray& views);

 private:
  bool is_due(const Shape& shape);
  bool capture(const HostArray& views);

  Embedder embedder_;
  Shape shape_;       ///< of the last batch
  int64_t same_ = 0;  ///< batches of that shape, one after another
  bool tried_ = false;
  Tensor views_;
  Embedded embedded_;
  std::unique_ptr<Replay> replay_;  ///< from views_ to embedded_
};

}  // namespace astroclip::evaluate
