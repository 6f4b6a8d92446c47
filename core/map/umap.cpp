#include "map/umap.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/finite.h"
#include "base/rng.h"
#include "base/threads.h"
#include "search/nearest_internal.h"
#include "search/pca.h"

namespace astroclip::map {

namespace {

using Point = std::array<float, 2>;

constexpr int64_t queries_at_once = 8192;
constexpr double search_share = 0.5, graph_share = 0.52;  // of the time, for progress
constexpr int64_t few_rows = 10000, epochs_of_few = 500, epochs_of_many = 200;
// Of the curve 1/(1 + a·d^(2b)) nearest to exp(−(d − min_dist)) beyond min_dist = 0.1, by least squares.
constexpr float curve_a = 1.5769434603F, curve_b = 0.8950608781F;
constexpr int repulsions = 5;         // for each attraction
constexpr float longest_step = 4.0F;  // along each axis, at the full rate
constexpr float start_extent = 10.0F, start_noise = 1e-4F;
/// The rows of an epoch move in so many rounds, each by the positions that the one before it has left.
constexpr int64_t rounds = 8;
constexpr int64_t epochs_between_keeps = 20;

/// A symmetric graph of rows: the edges of row i are [begin[i], begin[i + 1]).
struct Graph {
  std::vector<int64_t> begin;
  std::vector<int64_t> to;
  std::vector<float> strength;
};

/// The nearest rows without the row itself, [rows, k].
search::Neighbours other_neighbours(const Matrix& rows, int64_t k, const Progress& progress, const Keeper* keeper) {
  search::Neighbours others{k, {}, {}};
  for (int64_t first = 0; first < rows.rows; first += queries_at_once) {
    const std::string name = fmt::format("near/{}", first / queries_at_once);
    if (const auto kept = keeper != nullptr ? keeper->find(name) : std::nullopt) {
      append_values(others.index, kept->first(kept->size() / 2));
      append_values(others.distance, kept->subspan(kept->size() / 2));
      continue;
    }
    const size_t before = others.index.size();
    std::vector<int64_t> some(static_cast<size_t>(std::min(queries_at_once, rows.rows - first)));
    std::iota(some.begin(), some.end(), first);
    const double share = search_share * static_cast<double>(first) / static_cast<double>(rows.rows);
    const search::Neighbours found = search::nearest(select_rows(rows, some), rows, k + 1, [&] {
      if (progress) progress(share);
    });
    for (size_t i = 0; i < some.size(); ++i) {
      const size_t begin = i * static_cast<size_t>(k + 1), end = begin + static_cast<size_t>(k + 1);
      size_t own = begin;  // of many equal rows it may be none of these
      while (own < end - 1 && found.index[own] != some[i]) ++own;
      for (size_t at = begin; at < end; ++at) {
        if (at == own) continue;
        others.index.push_back(found.index[at]);
        others.distance.push_back(found.distance[at]);
      }
    }
    if (keeper == nullptr) continue;
    std::vector<std::byte> bytes;
    for (const auto more : {std::as_bytes(std::span(others.index).subspan(before)),
                            std::as_bytes(std::span(others.distance).subspan(before))})
      bytes.insert(bytes.end(), more.begin(), more.end());
    keeper->add(name, bytes);
  }
  return others;
}

/// Strengths of a row's edges: exp(−(distance − nearest)/σ), with σ such that they and the row's own 1 sum to the
/// logarithm of their number (section 3.1 of the paper).
std::vector<float> strengths_of(std::span<const double> distances, double mean_of_all) {
  constexpr int halvings = 64;
  constexpr double least_scale = 1e-3;
  const auto positive = std::ranges::find_if(distances, [](double distance) { return distance > 0.0; });
  const double nearest = positive == distances.end() ? 0.0 : *positive;
  const double wanted = std::log2(static_cast<double>(distances.size() + 1));
  const auto sum = [&](double sigma) {
    double total = 0.0;
    for (const double distance : distances) total += std::exp(-std::max(0.0, distance - nearest) / sigma);
    return total;
  };
  double low = 0.0, high = 1.0;
  for (int i = 0; i < halvings && sum(high) < wanted; ++i) high *= 2.0;
  for (int i = 0; i < halvings; ++i) {
    const double middle = 0.5 * (low + high);
    (sum(middle) < wanted ? low : high) = middle;
  }
  const double mean = std::accumulate(distances.begin(), distances.end(), 0.0) / static_cast<double>(distances.size());
  const double sigma = std::max({high, least_scale * (nearest > 0.0 ? mean : mean_of_all), 1e-300});
  std::vector<float> strengths;
  for (const double distance : distances) {
    strengths.push_back(static_cast<float>(std::exp(-std::max(0.0, distance - nearest) / sigma)));
  }
  return strengths;
}

/// The union of the directed edges: a + b − a·b.
Graph fuzzy_graph(const search::Neighbours& others, int64_t rows, const Progress& progress) {
  const auto count = others.index.size(), k = static_cast<size_t>(others.k);
  const double mean = std::accumulate(others.distance.begin(), others.distance.end(), 0.0) / static_cast<double>(count);
  std::vector<float> strengths(count);
  for (int64_t first = 0; first < rows; first += queries_at_once) {
    if (progress) progress(search_share);
    parallel_for(std::min(queries_at_once, rows - first), 256, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(first + begin); i < static_cast<size_t>(first + end); ++i) {
        std::ranges::copy(strengths_of(std::span(others.distance).subspan(i * k, k), mean), &strengths[i * k]);
      }
    });
  }
  struct Half {
    int64_t to;
    float out, in;
  };
  std::vector<std::vector<Half>> halves(static_cast<size_t>(rows));
  for (size_t edge = 0; edge < count; ++edge) {
    const auto from = static_cast<int64_t>(edge / k), to = others.index[edge];
    halves[static_cast<size_t>(from)].push_back({to, strengths[edge], 0.0F});
    halves[static_cast<size_t>(to)].push_back({from, 0.0F, strengths[edge]});
  }
  Graph graph{{0}, {}, {}};
  for (std::vector<Half>& own : halves) {
    std::ranges::stable_sort(own, {}, &Half::to);
    for (size_t i = 0; i < own.size(); ++i) {
      Half edge = own[i];
      if (i + 1 < own.size() && own[i + 1].to == edge.to) {
        ++i;
        edge.out = std::max(edge.out, own[i].out);
        edge.in = std::max(edge.in, own[i].in);
      }
      graph.to.push_back(edge.to);
      graph.strength.push_back(edge.out + edge.in - edge.out * edge.in);
    }
    graph.begin.push_back(std::ssize(graph.to));
    own = {};
  }
  return graph;
}

/// The plane of the first two principal components; a little noise parts equal rows.
std::vector<Point> start_positions(const Matrix& rows, uint64_t seed) {
  std::vector<Point> points(static_cast<size_t>(rows.rows), Point{});
  const search::Pca pca = search::Pca::fit(rows, 2, seed);
  const Matrix scores = pca.transform(rows);
  float largest = 0.0F;
  for (const float score : scores.values) largest = std::max(largest, std::abs(score));
  const float scale = largest > 0.0F ? start_extent / largest : 0.0F;
  for (size_t i = 0; i < points.size(); ++i) {
    Rng rng(seed ^ stable_hash("umap start"), RngStream::probes, 0, i);
    const auto row = scores.row(static_cast<int64_t>(i));
    for (size_t axis = 0; axis < 2; ++axis) {
      const float score = axis < row.size() ? row[axis] : 0.0F;
      points[i][axis] = scale * score + start_noise * start_extent * static_cast<float>(rng.normal());
    }
  }
  return points;
}

void move(Point& point, const Point& other, float coefficient, float rate) {
  for (size_t axis = 0; axis < 2; ++axis) {
    const float step = coefficient * (point[axis] - other[axis]);
    point[axis] += rate * std::clamp(step, -longest_step, longest_step);
  }
}

float squared_distance(const Point& a, const Point& b) {
  const float x = a[0] - b[0], y = a[1] - b[1];
  return x * x + y * y;
}

void attract(Point& point, const Point& other, float rate) {
  const float square = squared_distance(point, other);
  if (square <= 0.0F) return;
  const float power = std::pow(square, curve_b);
  move(point, other, -2.0F * curve_a * curve_b * power / (square * (1.0F + curve_a * power)), rate);
}

void repel(Point& point, const Point& other, float rate) {
  const float square = squared_distance(point, other);
  if (square <= 0.0F) return;
  const float power = std::pow(square, curve_b);
  move(point, other, 2.0F * curve_b / ((0.001F + square) * (1.0F + curve_a * power)), rate);
}

/// Stochastic gradient descent on the cross-entropy of the two graphs (section 3.2). An edge of the greatest strength
/// is followed at every epoch, others as seldom as they are weak.
class Descent {
 public:
  Descent(const Graph& graph, int64_t epochs, uint64_t seed) : graph_(graph), epochs_(epochs), seed_(seed) {
    strongest_ = std::ranges::max(graph.strength);
  }

  /// From `first_epoch` on, before which the points were at `start`.
  void run(std::vector<Point> start, int64_t first_epoch, const Progress& progress, const Keeper* keeper) {
    points_ = std::move(start);
    moved_.resize(points_.size());
    const auto count = std::ssize(points_);
    for (int64_t epoch = first_epoch; epoch < epochs_; ++epoch) {
      const double share = static_cast<double>(epoch) / static_cast<double>(epochs_);
      for (int64_t round = 0; round < rounds; ++round) {
        if (progress) progress(graph_share + (1.0 - graph_share) * share);
        const int64_t first = count * round / rounds, last = count * (round + 1) / rounds;
        parallel_for(last - first, 64, [&](int64_t begin, int64_t end) {
          for (int64_t row = first + begin; row < first + end; ++row) moved_[static_cast<size_t>(row)] = at(row, epoch);
        });
        std::copy(moved_.begin() + first, moved_.begin() + last, points_.begin() + first);
      }
      const int64_t done = epoch + 1;
      if (keeper != nullptr && (done % epochs_between_keeps == 0 || done == epochs_))
        keeper->add(name_of(done), std::as_bytes(std::span(points_)));
    }
    if (progress) progress(1.0);
  }

  const std::vector<Point>& points() const { return points_; }

  /// Of what is kept after so many epochs.
  static std::string name_of(int64_t epochs) { return fmt::format("epoch/{}", epochs); }

 private:
  /// Where a row moves to in an epoch. An edge belongs to both of its rows, and moves both as often as either is drawn:
  /// so this row moves twice along it.
  Point at(int64_t row, int64_t epoch) const {
    Point point = points_[static_cast<size_t>(row)];
    const float rate = 1.0F - static_cast<float>(epoch) / static_cast<float>(epochs_);
    Rng rng(seed_ ^ stable_hash("umap"), RngStream::probes, static_cast<uint64_t>(epoch), static_cast<uint64_t>(row));
    const auto begin = static_cast<size_t>(graph_.begin[static_cast<size_t>(row)]);
    const auto end = static_cast<size_t>(graph_.begin[static_cast<size_t>(row) + 1]);
    for (size_t edge = begin; edge < end; ++edge) {
      if (!is_due(graph_.strength[edge], epoch)) continue;
      const Point& other = points_[static_cast<size_t>(graph_.to[edge])];
      attract(point, other, rate);
      attract(point, other, rate);
      for (int i = 0; i < repulsions; ++i) {
        repel(point, points_[static_cast<size_t>(rng.below(std::ssize(points_)))], rate);
      }
    }
    return point;
  }

  bool is_due(float strength, int64_t epoch) const {
    const double often = double{strength} / strongest_;
    return std::floor(static_cast<double>(epoch + 1) * often) > std::floor(static_cast<double>(epoch) * often);
  }

  const Graph& graph_;
  std::vector<Point> points_, moved_;
  int64_t epochs_;
  uint64_t seed_;
  float strongest_ = 0.0F;
};

}  // namespace

Matrix umap(const Matrix& rows, const UmapOptions& options, const Progress& progress, NeighbourDistances* distances,
            const Keeper* keeper) {
  if (rows.rows == 0 || rows.columns == 0) throw Error("[umap] needs rows, found none");
  for (int64_t row = 0; row < rows.rows; ++row) {
    if (!all_finite(rows.row(row))) throw Error(fmt::format("[umap] row {} is not finite", row));
  }
  Matrix positions{rows.rows, 2, {}};
  const int64_t others = std::min(options.neighbours, rows.rows) - 1;
  if (distances != nullptr) {
    distances->mean.assign(static_cast<size_t>(rows.rows), 0.0F);
    distances->least = distances->mean;
  }
  if (others < 1) {
    positions.values.assign(static_cast<size_t>(2 * rows.rows), 0.0F);
    return positions;
  }
  const int64_t epochs = options.epochs > 0 ? options.epochs : (rows.rows <= few_rows ? epochs_of_few : epochs_of_many);
  const search::Neighbours near = other_neighbours(rows, others, progress, keeper);
  if (distances != nullptr) {
    for (size_t row = 0; row < distances->mean.size(); ++row) {
      const auto k = static_cast<size_t>(others);
      const auto own = std::span(near.distance).subspan(row * k, k);
      distances->mean[row] = static_cast<float>(std::accumulate(own.begin(), own.end(), 0.0) / static_cast<double>(k));
      distances->least[row] = static_cast<float>(own.front());
    }
  }
  const Graph graph = fuzzy_graph(near, rows.rows, progress);
  std::vector<Point> start;
  int64_t done = keeper == nullptr ? 0 : epochs;
  for (; done > 0; --done) {
    const auto kept = keeper->find(Descent::name_of(done));
    if (!kept) continue;
    append_values(start, *kept);
    break;
  }
  if (done == 0) start = start_positions(rows, options.seed);
  Descent descent(graph, epochs, options.seed);
  descent.run(std::move(start), done, progress, keeper);
  for (const Point& point : descent.points())
    positions.values.insert(positions.values.end(), point.begin(), point.end());
  return positions;
}

}  // namespace astroclip::map
