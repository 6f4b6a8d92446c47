#include "evaluate/overlap.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "data/fields.h"

namespace astroclip::evaluate {

std::vector<bool> in_both_splits(const Dataset& dataset) {
  const auto ids = [&](Split split) { return data::read_ids(dataset, split, data::rows_with(dataset, split, {})); };
  std::vector<int64_t> training = ids(Split::train);
  std::ranges::sort(training);
  std::vector<bool> in_both;
  for (const int64_t id : ids(Split::test)) in_both.push_back(std::ranges::binary_search(training, id));
  return in_both;
}

std::string describe_overlap(const Experiment& experiment, const std::vector<bool>& in_both) {
  const auto count = std::ranges::count(in_both, true);
  if (count == 0) return "";
  const std::string found =
      fmt::format("{} of {} test objects are training objects, too (the same object_id)", count, in_both.size());
  const TrainTestOverlap wanted = experiment.evaluation.train_test_overlap;
  if (wanted == TrainTestOverlap::keep) return found + "; they are measured, too";
  if (wanted == TrainTestOverlap::exclude && count < std::ssize(in_both)) return found + " and are not measured";
  throw Error(fmt::format("[evaluation] {}; train_test_overlap = \"{}\" measures {}", found,
                          count < std::ssize(in_both) ? "exclude" : "keep",
                          count < std::ssize(in_both) ? "the others" : "them nevertheless"));
}

}  // namespace astroclip::evaluate
