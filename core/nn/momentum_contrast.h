#pragma once

#include <cstdint>
#include <vector>

#include "nn/host_copy.h"
#include "nn/layers.h"
#include "nn/module.h"

/// The objective of MoCo v2 (He et al. 2020; Chen et al. 2020, "Improved baselines with momentum contrastive
/// learning"): a query finds the key of the same object among those of a queue.
namespace astroclip::nn {

struct MomentumContrastOptions {
  int64_t in = 0;            ///< width of the features
  int64_t width = 128;       ///< of queries and keys
  bool hidden_layer = true;  ///< the heads are MLPs of one hidden layer as wide as the features (v2), or linear (v1)
  int64_t queue = 65536;     ///< keys of earlier batches
  double temperature = 0.2;
};

/// Heads of queries and keys ("head", "key_head"), the queue ("queue" [keys, width]) and the place of its oldest key
/// ("oldest").
class MomentumContrast final : public Module {
 public:
  explicit MomentumContrast(const MomentumContrastOptions& options);

  /// Features [B, in] → queries [B, width] of length 1.
  Tensor queries(const Tensor& features) const;
  /// The same by the head of keys, without gradient.
  Tensor keys(const Tensor& features) const;
  /// Products over the temperature: of each query with its own key, then with the queue: [B, 1 + queue].
  Tensor logits(const Tensor& queries, const Tensor& keys) const;
  /// The mean cross-entropy of logits whose right answer is the first.
  static Tensor loss(const Tensor& logits);

  /// The head of keys becomes that of queries, and the queue random directions.
  void begin();
  /// The head of keys follows that of queries.
  void follow_queries(double momentum);
  /// Keeps the keys of all processes for `enqueue`.
  void keep(Tensor keys) { kept_.push_back(std::move(keys)); }
  /// The keys that were kept take the places of the oldest.
  void enqueue();
  /// They are forgotten instead.
  void forget() { kept_.clear(); }

 private:
  MomentumContrastOptions options_;
  Mlp head_, key_head_;
  Tensor queue_, oldest_;
  HostCopy oldest_place_;
  std::vector<Tensor> kept_;
};

}  // namespace astroclip::nn
