#pragma once

#include <utility>
#include <vector>

#include "optim/weight_average.h"
#include "train/stage_setup.h"

namespace astroclip::train {

/// The weights of a stage that are meant for use where they are not those that train: with `ema` their average, and
/// what the loss says is its product.
class WeightsInUse {
 public:
  /// Whose use: the loss itself is not measured with what it produces, as a teacher is no student.
  enum class By { all, loss };

  /// `average`: none without `ema`. Both arguments outlive it.
  WeightsInUse(const StageSetup& setup, optim::WeightAverage* average);
  /// The weights that train and those in use trade places; a second call trades them back.
  void trade(By user = By::all) const;

  /// While it lives, the model has the weights in use.
  class Scope {
   public:
    explicit Scope(const WeightsInUse& weights, By user = By::all) : weights_(weights), user_(user) {
      weights_.trade(user_);
    }
    ~Scope() { weights_.trade(user_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const WeightsInUse& weights_;
    By user_;
  };

 private:
  optim::WeightAverage* average_;
  std::vector<std::pair<Tensor, Tensor>> products_;  ///< a tower's tensor and the product's
};

}  // namespace astroclip::train
