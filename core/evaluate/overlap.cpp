#include "evaluate/overlap.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "data/fields.h"
#include "data/objects.h"
#include "search/sky.h"

namespace astroclip::evaluate {

InBoth in_both_splits(const Dataset& dataset) {
  const auto rows = [&](Split split) { return data::rows_with(dataset, split, {}); };
  const auto ids = [&](Split split) { return data::read_ids(dataset, split, rows(split)); };
  std::vector<int64_t> training = ids(Split::train);
  std::ranges::sort(training);
  InBoth in_both;
  for (const int64_t id : ids(Split::test)) in_both.test_rows.push_back(std::ranges::binary_search(training, id));
  const auto trained = data::read_positions(dataset, Split::train, rows(Split::train));
  const auto tested = data::read_positions(dataset, Split::test, rows(Split::test));
  if (!trained || !tested) return in_both;
  const auto matches =
      search::SkyIndex(trained->ra, trained->dec).nearest(tested->ra, tested->dec, data::same_object_radius);
  for (size_t row = 0; row < matches.size(); ++row) {
    if (matches[row].row < 0 || in_both.test_rows[row]) continue;
    in_both.test_rows[row] = true;
    ++in_both.by_position;
  }
  return in_both;
}

std::string describe_overlap(const Experiment& experiment, const InBoth& in_both) {
  const std::vector<bool>& rows = in_both.test_rows;
  const auto count = std::ranges::count(rows, true);
  if (count == 0) return "";
  const std::string found =
      fmt::format("{} of {} test objects are training objects, too ({})", count, rows.size(),
                  in_both.by_position == 0
                      ? "the same object_id"
                      : fmt::format("{} by object_id, {} by position within {} arcsec", count - in_both.by_position,
                                    in_both.by_position, data::same_object_radius));
  const TrainTestOverlap wanted = experiment.evaluation.train_test_overlap;
  if (wanted == TrainTestOverlap::keep) return found + "; they are measured, too";
  if (wanted == TrainTestOverlap::exclude && count < std::ssize(rows)) return found + " and are not measured";
  throw Error(fmt::format("[evaluation] {}; train_test_overlap = \"{}\" measures {}", found,
                          count < std::ssize(rows) ? "exclude" : "keep",
                          count < std::ssize(rows) ? "the others" : "them nevertheless"));
}

}  // namespace astroclip::evaluate
