#include "data/row_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "base/error.h"
#include "base/rng.h"

namespace astroclip::data {

RowOrder::RowOrder(std::vector<int64_t> rows, ReadPlan plan, const LoaderOptions& options)
    : rows_(std::move(rows)), window_(std::max<int64_t>(1, plan.window)), options_(options) {
  if (!options_.shuffle || plan.ranges.empty()) return;
  std::ranges::sort(rows_);
  for (const RowRange& range : plan.ranges) {
    const auto begin = std::ranges::lower_bound(rows_, range.begin);
    if (begin != rows_.end() && *begin < range.end) pieces_.push_back(begin - rows_.begin());
  }
  std::ranges::sort(pieces_);
  pieces_.push_back(static_cast<int64_t>(rows_.size()));
}

RowOrder::Rows RowOrder::epoch_order(int64_t epoch) const {
  Rng rng(options_.seed, RngStream::batches, options_.stream, static_cast<uint64_t>(epoch));
  if (pieces_.empty()) {
    Rows order = rows_;
    rng.shuffle(std::span(order));
    return order;
  }
  Rows turns(pieces_.size() - 1);
  std::iota(turns.begin(), turns.end(), int64_t{0});
  rng.shuffle(std::span(turns));
  Rows order;
  order.reserve(rows_.size());
  size_t first = 0;  // of the window
  for (size_t turn = 0; turn < turns.size(); ++turn) {
    const auto piece = static_cast<size_t>(turns[turn]);
    order.insert(order.end(), rows_.begin() + pieces_[piece], rows_.begin() + pieces_[piece + 1]);
    if ((turn + 1) % static_cast<size_t>(window_) != 0 && turn + 1 != turns.size()) continue;
    rng.shuffle(std::span(order).subspan(first));
    first = order.size();
  }
  return order;
}

std::shared_ptr<const RowOrder::Rows> RowOrder::epoch(int64_t number) const {
  const std::lock_guard lock(lock_);
  auto& order = epochs_[number];
  if (!order) order = std::make_shared<const Rows>(epoch_order(number));
  const auto found = order;
  while (epochs_.size() > 2) epochs_.erase(epochs_.begin());
  return found;
}

std::vector<int64_t> RowOrder::batch(int64_t step) const {
  const auto count = static_cast<int64_t>(rows_.size());
  if (!options_.shuffle) {
    const int64_t begin = step * options_.batch, end = std::min(count, begin + options_.batch);
    return {rows_.begin() + begin, rows_.begin() + end};
  }
  const int64_t each = count / options_.batch;
  if (each == 0)
    throw Error(fmt::format("[loader] a batch of {} needs as many rows, there are {}", options_.batch, count));
  const auto order = epoch(step / each);
  const auto begin = order->begin() + step % each * options_.batch;
  return {begin, begin + options_.batch};
}

}  // namespace astroclip::data
