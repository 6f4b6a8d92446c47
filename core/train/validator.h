#pragma once

#include <cstdint>
#include <vector>

#include "api/loss.h"
#include "record/figure.h"
#include "record/metrics.h"
#include "train/frozen_views.h"
#include "train/stage_setup.h"

namespace astroclip::train {

/// Measures a stage's loss on objects that are not trained on.
class Validator {
 public:
  /// `rows` of the training split, at least one.
  Validator(const StageSetup& setup, const FrozenViews& frozen, const Dataset& dataset, std::vector<int64_t> rows);

  /// "validation.loss" and "validation.TERM", means over batches that are the same each time: same objects together,
  /// same draws of the views that training sees, without dropout. What does not fill a batch is left out, but for the
  /// roots of a loss of single objects. `step` is where training stands; nothing of it changes.
  record::Metrics measure(int64_t step) const;

  /// What the loss draws of the first rows, as many as `validation.figures` says.
  std::vector<record::Figure> figures(int64_t step) const;

 private:
  data::Batch batch_of(std::vector<int64_t> rows) const;
  /// Adds the roots of rows that fill no batch.
  void add_rest(std::vector<int64_t> rows, int64_t step, record::MetricMeans& means) const;

  const StageSetup& setup_;
  const FrozenViews& frozen_;
  const Dataset& dataset_;
  std::vector<int64_t> rows_;
};

}  // namespace astroclip::train
