#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evaluate/token_cache.h"
#include "train/stage_setup.h"

namespace astroclip::train {

/// What frozen backbones give of a stage's views, from a token cache. Only views whose features are the same at every
/// step are in it: plain ones, made without another view, whose loss asks for the embedding alone, with a backbone that
/// neither trains nor drops units. Micro-batches, whose products may round otherwise, take nothing from it.
class FrozenViews {
 public:
  /// Every view's features are computed at every step.
  FrozenViews() = default;
  /// With the weights as they stand: backbones run over all objects that the cache does not know yet.
  FrozenViews(const StageSetup& setup, evaluate::TokenCache& cache);

  /// A view's features for batches of `batch` objects; null where they are to be computed.
  const evaluate::FrozenTokens* find(const std::string& view, int64_t batch) const;
  /// Reads the stage's views and labels of batches of some rows, and a view's features instead where they are known.
  std::unique_ptr<data::Loader> loader(const StageSetup& setup, const Dataset& dataset, std::vector<int64_t> rows,
                                       data::LoaderOptions options) const;

 private:
  int64_t batch_ = 0;  ///< objects that went through the backbones at once
  std::map<std::string, std::shared_ptr<const evaluate::FrozenTokens>> tokens_;  ///< by view
};

}  // namespace astroclip::train
