#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/value.h"
#include "model/origins.h"
#include "record/metrics.h"
#include "train/frozen_views.h"
#include "train/stage_setup.h"
#include "train/weights_in_use.h"

namespace astroclip::train {

/// Looks for a collapse of a stage's representation, on objects that are not trained on: by the effective rank and the
/// deviation of their embeddings, by k-NN on a label, and by what the loss can tell.
class CollapseWatch {
 public:
  /// Looks at some of `rows`, of the training split. Embeds as an evaluation after the stage would, with `origins` at
  /// its end. Throws Error naming the stage when the dataset lacks the label.
  CollapseWatch(const StageSetup& setup, const FrozenViews& frozen, const Origins& origins, const Dataset& dataset,
                const std::vector<int64_t>& rows);

  /// Whether `step` finished steps call for a look that has not been.
  bool due(int64_t step) const;
  /// "watch.TOWER.rank" and so on, and "watch.collapsed", the number of signs that tell of a collapse. Nothing of
  /// training changes. A sign tells of one when it is not finite, or nearer to the value that it has in one than
  /// `threshold` of a safe distance. That is its distance at the first look; but 0.1 for what the loss can tell, which
  /// is judged after the warm-up alone, since before the first steps a loss may look as if collapsed.
  record::Metrics look(const WeightsInUse& weights, int64_t step);
  /// The last look in words: "image.rank 5.21, image.deviation 0.31"; and in few: the ranks, and whether it collapsed.
  const std::string& brief() const { return brief_; }
  const std::string& glance() const { return glance_; }
  /// What it says of a collapse, with the first values: "" when there is none.
  const std::string& collapse() const { return state_.collapse; }
  /// The finished steps of the look that first told of the collapse.
  int64_t collapsed_since() const { return state_.since; }
  /// The last look and the first, in a sentence for the report; "" before the first.
  const std::string& note() const { return state_.note; }

  /// What is known so far, for a checkpoint.
  config::Table state() const;
  /// Goes on from there. Throws a ProblemList when it is not such a state; `place` is for messages.
  void restore(const config::Table& state, const std::string& place);

  struct State {
    std::vector<std::string> names;  ///< of the signs
    std::vector<double> first;       ///< their values at the first look
    int64_t last_step = -1;          ///< of the last look; −1: none
    int64_t since = -1;              ///< of the look that told of the collapse; −1: none
    std::string collapse, note;
  };

 private:
  struct Sign {
    std::string name;
    double value;
    std::optional<double> collapsed;
    bool is_of_loss = false;
  };
  void add_signs_of_embeddings(std::vector<Sign>& signs) const;
  void add_signs_of_loss(std::vector<Sign>& signs, int64_t step) const;
  /// "image.rank is 1.02 (5.31 at first, 1 in a collapse)" where the sign tells of one, else "".
  std::string verdict(const Sign& sign, int64_t step) const;
  double first_of(const Sign& sign) const;

  const StageSetup& setup_;
  const FrozenViews& frozen_;
  const Origins origins_;
  const Dataset& dataset_;
  std::vector<int64_t> rows_;
  std::vector<double> labels_;  ///< along rows_; none without a label
  std::string brief_, glance_;
  State state_;
};

}  // namespace astroclip::train
