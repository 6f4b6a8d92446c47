#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "evaluate/token_cache.h"

namespace astroclip::train {

/// Takes a backbone's features from a token cache once a step has shown that they are the same at every step: the view
/// is plain, nothing that is trained went into them, and nothing was drawn at random.
class FrozenViews {
 public:
  /// Without a cache, features are made at every step.
  explicit FrozenViews(evaluate::TokenCache* cache) : cache_(cache) {}

  /// The features of `rows` of the request's split, which `make` makes.
  Encoded features(const evaluate::TokenRequest& request, std::span<const int64_t> rows,
                   const std::function<Encoded()>& make);
  /// Whether features of the view come from the cache, in one form at least.
  bool keeps(const std::string& view) const;

 private:
  evaluate::TokenCache* cache_;
  /// By view and form; none where features are to be made at every step.
  std::map<std::pair<std::string, TokenForm>, std::shared_ptr<const evaluate::FrozenTokens>> tokens_;
};

}  // namespace astroclip::train
