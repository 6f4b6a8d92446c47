#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "api/dataset.h"
#include "data/loader.h"

namespace astroclip::data {

/// Ranges that a plan's window must hold at least: with fewer, batches would be of neighbours.
inline constexpr int64_t least_window = 8;

/// Which rows each step takes. With shuffling an epoch is a fresh permutation, keyed by (seed, stream, epoch), cut into
/// full batches: every row once an epoch, and without a plan every batch is an even draw from the whole, however the
/// file is sorted. With a plan the ranges are permuted, and rows are shuffled among as many ranges as the plan's window
/// holds: each range is read in one stretch of steps, and a batch draws from ranges all over the files.
/// Safe to use from several threads.
class RowOrder {
 public:
  RowOrder(std::vector<int64_t> rows, ReadPlan plan, const LoaderOptions& options);
  /// Throws Error when a full batch is wanted and there are fewer rows.
  std::vector<int64_t> batch(int64_t step) const;

 private:
  using Rows = std::vector<int64_t>;
  Rows epoch_order(int64_t epoch) const;
  std::shared_ptr<const Rows> epoch(int64_t number) const;

  Rows rows_;
  Rows pieces_;  ///< where in `rows_` each range's rows begin, and the end; empty without a plan
  int64_t window_;
  LoaderOptions options_;
  mutable std::mutex lock_;
  mutable std::map<int64_t, std::shared_ptr<const Rows>> epochs_;  ///< threads that run ahead may be in the next
};

}  // namespace astroclip::data
