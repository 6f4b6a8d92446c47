#include "train/frozen_views.h"

#include <algorithm>

#include "autograd/tape.h"

namespace astroclip::train {

Encoded FrozenViews::features(const evaluate::TokenRequest& request, std::span<const int64_t> rows,
                              const std::function<Encoded()>& make) {
  const ViewRequest& view = request.view.request;
  if (cache_ == nullptr || view.augment || view.crops != 1) return make();
  const std::pair key(view.name, request.form);
  const auto known = tokens_.find(key);
  if (known != tokens_.end()) return known->second ? known->second->read(rows) : make();
  const uint64_t draws = request.encoder.dropout_draws();
  const Encoded made = make();
  if (!autograd::recording()) return made;  // nothing can be told
  const bool is_same =
      !made.tokens.requires_grad() && !made.cls_token.requires_grad() && request.encoder.dropout_draws() == draws;
  tokens_[key] = is_same ? cache_->open(request) : nullptr;
  return made;
}

bool FrozenViews::keeps(const std::string& view) const {
  return std::ranges::any_of(tokens_, [&](const auto& entry) { return entry.first.first == view && entry.second; });
}

}  // namespace astroclip::train
