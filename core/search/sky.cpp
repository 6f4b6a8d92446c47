#include "search/sky.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nanoflann.hpp>
#include <numbers>
#include <numeric>
#include <tuple>

#include "base/threads.h"

namespace astroclip::search {

namespace {

using UnitVector = std::array<double, 3>;

constexpr double degree = std::numbers::pi / 180.0;
constexpr double arcsec = degree / 3600.0;
constexpr int64_t positions_at_once = 256;

bool is_on_sky(double ra, double dec) { return std::isfinite(ra) && std::abs(dec) <= 90.0; }

UnitVector unit_vector(double ra, double dec) {
  return {std::cos(dec * degree) * std::cos(ra * degree), std::cos(dec * degree) * std::sin(ra * degree),
          std::sin(dec * degree)};
}

/// The square of the chord of an angle in arcsec; a little more, so that rounding loses nothing at the radius.
double squared_chord(double angle) {
  const double chord = 2.0 * std::sin(std::min(angle * arcsec, std::numbers::pi) / 2.0);
  return chord * chord * (1.0 + 1e-12) + std::numeric_limits<double>::min();
}

double angle_of(double squared) { return 2.0 * std::asin(std::min(std::sqrt(squared) / 2.0, 1.0)) / arcsec; }

/// What nanoflann searches.
struct Points {
  std::vector<UnitVector> vectors;
  std::vector<int64_t> rows;

  size_t kdtree_get_point_count() const { return vectors.size(); }
  double kdtree_get_pt(size_t point, size_t axis) const { return vectors[point][axis]; }
  template <class Box>
  bool kdtree_get_bbox(Box&) const {
    return false;
  }
};

/// Collects what nanoflann finds within a squared distance.
template <class Add>
class Found {
 public:
  using DistanceType = double;

  Found(double squared, Add add) : squared_(squared), add_(add) {}
  bool full() const { return true; }
  size_t size() const { return 0; }
  double worstDist() const { return squared_; }
  bool addPoint(double squared, size_t point) {
    add_(squared, point);
    return true;
  }

 private:
  double squared_;
  Add add_;
};

}  // namespace

double separation(double ra, double dec, double other_ra, double other_dec) {
  const double east = std::sin(0.5 * degree * (ra - other_ra)), north = std::sin(0.5 * degree * (dec - other_dec));
  const double h = north * north + std::cos(dec * degree) * std::cos(other_dec * degree) * east * east;
  return 2.0 * std::asin(std::min(1.0, std::sqrt(h))) / arcsec;
}

struct SkyIndex::Tree {
  using Search = nanoflann::KDTreeSingleIndexAdaptor<nanoflann::L2_Simple_Adaptor<double, Points>, Points, 3, uint32_t>;

  Points points;
  std::unique_ptr<Search> search;

  /// Calls add(squared chord, row) for every position of the tree within a squared chord of a given one.
  template <class Add>
  void visit(double ra, double dec, double squared, Add add) const {
    if (!search || !is_on_sky(ra, dec)) return;
    const auto add_point = [&](double distance, size_t point) { add(distance, points.rows[point]); };
    Found<decltype(add_point)> found(squared, add_point);
    search->findNeighbors(found, unit_vector(ra, dec).data(), nanoflann::SearchParams());
  }
};

SkyIndex::SkyIndex(std::span<const double> ra, std::span<const double> dec) {
  auto tree = std::make_unique<Tree>();
  for (size_t i = 0; i < ra.size(); ++i) {
    if (!is_on_sky(ra[i], dec[i])) continue;
    tree->points.vectors.push_back(unit_vector(ra[i], dec[i]));
    tree->points.rows.push_back(static_cast<int64_t>(i));
  }
  if (!tree->points.rows.empty()) tree->search = std::make_unique<Tree::Search>(3, tree->points);
  tree_ = std::move(tree);
}

SkyIndex::~SkyIndex() = default;

std::vector<SkyMatch> SkyIndex::nearest(std::span<const double> ra, std::span<const double> dec, double radius) const {
  const double squared = squared_chord(radius);
  std::vector<SkyMatch> matches(ra.size());
  parallel_for(static_cast<int64_t>(ra.size()), positions_at_once, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      SkyMatch& match = matches[i];
      double least = std::numeric_limits<double>::infinity();
      tree_->visit(ra[i], dec[i], squared, [&](double distance, int64_t row) {
        ++match.within;
        if (distance > least || (distance == least && row > match.row)) return;
        least = distance;
        match.row = row;
      });
      if (match.row >= 0) match.separation = angle_of(least);
    }
  });
  return matches;
}

std::vector<SkyPair> SkyIndex::within(std::span<const double> ra, std::span<const double> dec, double radius) const {
  const double squared = squared_chord(radius);
  std::vector<std::vector<SkyPair>> found(ra.size());
  parallel_for(static_cast<int64_t>(ra.size()), positions_at_once, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::vector<SkyPair>& own = found[static_cast<size_t>(i)];
      tree_->visit(ra[static_cast<size_t>(i)], dec[static_cast<size_t>(i)], squared, [&](double distance, int64_t row) {
        own.push_back({i, row, angle_of(distance)});
      });
      std::ranges::sort(own, {}, [](const SkyPair& pair) { return std::tuple(pair.separation, pair.second); });
    }
  });
  std::vector<SkyPair> pairs;
  for (const std::vector<SkyPair>& own : found) pairs.insert(pairs.end(), own.begin(), own.end());
  return pairs;
}

std::vector<int64_t> sky_groups(std::span<const double> ra, std::span<const double> dec, double radius) {
  std::vector<int64_t> group(ra.size());
  std::iota(group.begin(), group.end(), int64_t{0});
  const auto lowest = [&](int64_t row) {
    for (auto at = static_cast<size_t>(row); group[at] != row; at = static_cast<size_t>(row)) {
      group[at] = group[static_cast<size_t>(group[at])];  // halves the way for those that follow
      row = group[at];
    }
    return row;
  };
  for (const SkyPair& pair : SkyIndex(ra, dec).within(ra, dec, radius)) {
    const int64_t a = lowest(pair.first), b = lowest(pair.second);
    group[static_cast<size_t>(std::max(a, b))] = std::min(a, b);
  }
  for (size_t row = 0; row < group.size(); ++row) group[row] = lowest(static_cast<int64_t>(row));
  return group;
}

}  // namespace astroclip::search
