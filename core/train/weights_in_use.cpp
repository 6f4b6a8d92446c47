#include "train/weights_in_use.h"

namespace astroclip::train {

WeightsInUse::WeightsInUse(const StageSetup& setup, optim::WeightAverage* average) : average_(average) {
  for (const std::string& tower : setup.towers()) {
    const Encoder* product = setup.loss().product(tower);
    if (product == nullptr) continue;
    const std::vector<NamedTensor> own = setup.encoder(tower).state(), other = product->state();
    for (size_t i = 0; i < own.size(); ++i) products_.emplace_back(own[i].tensor, other[i].tensor);
  }
}

void WeightsInUse::trade(By user) const {
  if (average_ != nullptr) average_->swap();
  if (user == By::loss) return;
  for (const auto& [own, other] : products_) optim::trade_places(own, other);
}

}  // namespace astroclip::train
