#include "map/sampled_neighbours.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "search/nearest_internal.h"

namespace astroclip::map {

namespace {

constexpr int64_t rows_together = 8192;
constexpr double references_share = 0.7;  // of the time, for progress
constexpr size_t parts_of_cells = 8;      // after each of which a number for every row is kept

/// What each row has of the references: the mean distance to the nearest, and which ones those are whose cells are
/// searched, nearest first.
struct Compared {
  std::vector<float> mean;
  std::vector<uint32_t> cells;  ///< [rows, cells of a row]
};

/// Rows by their cells: those of cell c are [begin[c], begin[c + 1]).
struct Grouped {
  std::vector<int64_t> begin;
  std::vector<uint32_t> rows;

  std::span<const uint32_t> of(size_t cell) const {
    return std::span(rows).subspan(static_cast<size_t>(begin[cell]),
                                   static_cast<size_t>(begin[cell + 1] - begin[cell]));
  }
};

/// By the first `used` of each row's `cells_of_row` cells.
Grouped grouped(const std::vector<uint32_t>& cells, size_t cells_of_row, size_t used, size_t count) {
  Grouped all{std::vector<int64_t>(count + 1), std::vector<uint32_t>(cells.size() / cells_of_row * used)};
  const auto for_each = [&](auto use) {
    for (size_t row = 0; row < cells.size() / cells_of_row; ++row) {
      for (size_t i = 0; i < used; ++i) use(row, size_t{cells[row * cells_of_row + i]});
    }
  };
  for_each([&](size_t, size_t cell) { ++all.begin[cell + 1]; });
  std::partial_sum(all.begin.begin(), all.begin.end(), all.begin.begin());
  std::vector<int64_t> next(all.begin.begin(), all.begin.end() - 1);
  for_each([&](size_t row, size_t cell) { all.rows[static_cast<size_t>(next[cell]++)] = static_cast<uint32_t>(row); });
  return all;
}

class SampledSearch {
 public:
  SampledSearch(const UnitRows& rows, const SampledOptions& options, const Progress& progress, const Keeper* keeper)
      : rows_(rows),
        options_(options),
        progress_(progress),
        keeper_(keeper),
        chosen_(rows.sample(options.references, options.seed)),
        references_(rows.select(chosen_)) {}

  NeighbourDistances run() {
    Compared compared = compare_with_references();
    least_.assign(compared.mean.size(), std::numeric_limits<float>::infinity());
    const auto cells_of_row = static_cast<size_t>(options_.cells);
    const Grouped members = grouped(compared.cells, cells_of_row, 1, chosen_.size()),
                  searchers = grouped(compared.cells, cells_of_row, cells_of_row, chosen_.size());
    compared.cells = {};
    for (size_t part = 0; part < parts_of_cells; ++part) {
      const std::string name = fmt::format("cells/{}", part);  // unlike those of UMAP, which it may be kept beside
      if (const auto kept = keeper_ != nullptr ? keeper_->find(name) : std::nullopt) {
        least_.clear();
        append_values(least_, *kept);
        continue;
      }
      const size_t count = chosen_.size(), end = (part + 1) * count / parts_of_cells;
      for (size_t cell = part * count / parts_of_cells; cell < end; ++cell) {
        share_ = references_share + (1.0 - references_share) * static_cast<double>(cell) / static_cast<double>(count);
        look_through(cell, members.of(cell), searchers.of(cell));
      }
      if (keeper_ != nullptr) keeper_->add(name, std::as_bytes(std::span(least_)));
    }
    return {std::move(compared.mean), std::move(least_)};
  }

 private:
  void tell() const {
    if (progress_) progress_(share_);
  }
  search::Neighbours nearest(const Matrix& queries, const Matrix& among, int64_t k) const {
    return search::nearest(queries, among, k, [this] { tell(); });
  }

  Compared compare_with_references() {
    Compared all;
    const auto cells_of_row = static_cast<size_t>(options_.cells), count = static_cast<size_t>(options_.neighbours);
    for (int64_t first = 0; first < rows_.count(); first += rows_together) {
      const auto rows = static_cast<size_t>(std::min(rows_together, rows_.count() - first));
      const std::string name = fmt::format("far/{}", first / rows_together);
      if (const auto kept = keeper_ != nullptr ? keeper_->find(name) : std::nullopt) {
        append_values(all.mean, kept->first(rows * sizeof(float)));
        append_values(all.cells, kept->subspan(rows * sizeof(float)));
        continue;
      }
      std::vector<int64_t> some(rows);
      std::iota(some.begin(), some.end(), first);
      share_ = references_share * static_cast<double>(first) / static_cast<double>(rows_.count());
      const search::Neighbours found = nearest(rows_.select(some), references_, options_.neighbours + 1);
      for (size_t i = 0; i < rows; ++i) {
        double sum = 0.0;
        size_t added = 0;
        for (size_t at = i * (count + 1); added < count; ++at) {
          if (chosen_[static_cast<size_t>(found.index[at])] == some[i]) continue;
          sum += found.distance[at];
          ++added;
        }
        all.mean.push_back(static_cast<float>(sum / static_cast<double>(count)));
        for (size_t cell = 0; cell < cells_of_row; ++cell)
          all.cells.push_back(static_cast<uint32_t>(found.index[i * (count + 1) + cell]));
      }
      if (keeper_ == nullptr) continue;
      std::vector<std::byte> bytes;
      for (const auto more : {std::as_bytes(std::span(all.mean).last(rows)),
                              std::as_bytes(std::span(all.cells).last(rows * cells_of_row))})
        bytes.insert(bytes.end(), more.begin(), more.end());
      keeper_->add(name, bytes);
    }
    return all;
  }

  Matrix select(std::span<const uint32_t> some) const {
    return rows_.select(std::vector<int64_t>(some.begin(), some.end()));
  }

  /// Rows by their distances to a reference.
  std::vector<std::pair<float, uint32_t>> by_distance(size_t cell, std::span<const uint32_t> rows) const {
    const Matrix reference = select_rows(references_, std::vector{static_cast<int64_t>(cell)});
    std::vector<std::pair<float, uint32_t>> all;
    for (size_t first = 0; first < rows.size(); first += rows_together) {
      const auto some = rows.subspan(first, std::min(rows.size() - first, static_cast<size_t>(rows_together)));
      const search::Neighbours found = nearest(select(some), reference, 1);
      for (size_t i = 0; i < some.size(); ++i) all.emplace_back(static_cast<float>(found.distance[i]), some[i]);
    }
    std::ranges::sort(all);
    return all;
  }

  /// Looks for the nearest of a cell's searchers among its members.
  void look_through(size_t cell, std::span<const uint32_t> members, std::span<const uint32_t> searchers) {
    const auto most = static_cast<size_t>(options_.most_of_cell);
    if (members.empty()) return;
    if (members.size() <= most) return compare(searchers, members);
    const auto ordered = by_distance(cell, members), asking = by_distance(cell, searchers);
    for (size_t first = 0; first < asking.size(); first += most) {
      const auto block = std::span(asking).subspan(first, std::min(most, asking.size() - first));
      // Twice as many as one may have, so that the ends of the block have neighbours on both sides.
      const auto middle = std::ranges::lower_bound(ordered, block[block.size() / 2]) - ordered.begin();
      const size_t width = std::min(ordered.size(), 2 * most);
      const auto begin = static_cast<size_t>(std::clamp<int64_t>(middle - static_cast<int64_t>(most), 0,
                                                                 std::ssize(ordered) - static_cast<int64_t>(width)));
      const auto rows_of = [](std::span<const std::pair<float, uint32_t>> some) {
        std::vector<uint32_t> rows;
        for (const auto& [distance, row] : some) rows.push_back(row);
        return rows;
      };
      compare(rows_of(block), rows_of(std::span(ordered).subspan(begin, width)));
    }
  }

  /// A pair is near for both of its rows.
  void compare(std::span<const uint32_t> searchers, std::span<const uint32_t> members) {
    const Matrix among = select(members);
    for (size_t first = 0; first < searchers.size(); first += rows_together) {
      const auto some =
          searchers.subspan(first, std::min(searchers.size() - first, static_cast<size_t>(rows_together)));
      const search::Neighbours found = nearest(select(some), among, 2);
      for (size_t i = 0; i < some.size(); ++i) {
        for (int64_t n = 0; n < found.k; ++n) {
          const size_t at = i * static_cast<size_t>(found.k) + static_cast<size_t>(n);
          const uint32_t other = members[static_cast<size_t>(found.index[at])];
          if (other == some[i]) continue;
          for (const uint32_t row : {some[i], other})
            least_[row] = std::min(least_[row], static_cast<float>(found.distance[at]));
        }
      }
    }
  }

  const UnitRows& rows_;
  const SampledOptions& options_;
  const Progress& progress_;
  const Keeper* keeper_;
  std::vector<int64_t> chosen_;
  Matrix references_;
  std::vector<float> least_;
  double share_ = 0;
};

}  // namespace

NeighbourDistances sampled_distances(const UnitRows& rows, const SampledOptions& options, const Progress& progress,
                                     const Keeper* keeper) {
  return SampledSearch(rows, options, progress, keeper).run();
}

}  // namespace astroclip::map
