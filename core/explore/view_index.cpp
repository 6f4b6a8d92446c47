#include "explore/view_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/finite.h"
#include "base/rng.h"
#include "map/mollweide.h"
#include "map/placer.h"
#include "map/umap.h"
#include "search/knn.h"
#include "search/pca.h"
#include "tensor/matrix.h"

namespace astroclip::explore {

namespace {

constexpr uint64_t seed = 1;
constexpr int64_t neighbours = 15, objects_of_quality = 1000;
constexpr int64_t least_cells = 256, most_cells = 2048;
constexpr int64_t most_landmarks = 200000;
constexpr const char* scores_ending = "/near";
constexpr double pca_share = 0.3, umap_share = 0.8, placed_share = 0.95;  // of the time

/// What stands before the arrays of a map.
struct MapHead {
  map::Extent extent;
  float nothing = 0;
  map::Quality quality;
  int64_t rows = 0, placed = 0, tiles = 0, cells = 0;
};
static_assert(sizeof(MapHead) % 8 == 0);

std::string id_of(const std::string& encoder, Method method) {
  return method == Method::sky ? "sky" : encoder + (method == Method::pca ? "/pca" : "/umap");
}

template <class T>
void append(std::vector<std::byte>& bytes, const std::vector<T>& values) {
  const auto more = std::as_bytes(std::span(values));
  bytes.insert(bytes.end(), more.begin(), more.end());
}

/// The unit vectors of the rows that are finite, whose Euclidean distances order as cosines do.
struct Usable {
  std::vector<int64_t> rows;
  Matrix vectors;
};

Usable usable_rows(const Embeddings& embeddings, const std::string& encoder) {
  Usable usable{{}, {0, embeddings.width(encoder), {}}};
  for (int64_t row = 0; row < embeddings.rows(); ++row) {
    const auto vector = embeddings.vector(encoder, row);
    if (!all_finite(vector)) continue;
    usable.rows.push_back(row);
    usable.vectors.values.insert(usable.vectors.values.end(), vector.begin(), vector.end());
  }
  usable.vectors.rows = std::ssize(usable.rows);
  usable.vectors = search::unit_rows(std::move(usable.vectors));
  return usable;
}

/// [rows, 2]
Matrix principal_positions(const Matrix& vectors) {
  Matrix positions{vectors.rows, 2, std::vector<float>(static_cast<size_t>(2 * vectors.rows))};
  if (vectors.rows < 2) return positions;
  const Matrix scores = search::Pca::fit(vectors, 2, seed).transform(vectors);
  for (int64_t row = 0; row < vectors.rows; ++row) {
    std::ranges::copy(scores.row(row), positions.values.begin() + 2 * row);
  }
  return positions;
}

/// [rows, 2]. Of more rows than landmarks the others are placed as a network has learnt from the landmarks; distances
/// are then of none.
Matrix umap_positions(const Matrix& vectors, const std::function<void(double share)>& progress,
                      map::NeighbourDistances& distances) {
  const map::UmapOptions options{.neighbours = neighbours, .seed = seed};
  const auto first_part = [&](double share) { progress(umap_share * share); };
  if (vectors.rows <= most_landmarks) return map::umap(vectors, options, first_part, &distances);
  std::vector<int64_t> landmarks(static_cast<size_t>(vectors.rows));
  std::iota(landmarks.begin(), landmarks.end(), int64_t{0});
  Rng(seed ^ stable_hash("landmarks"), RngStream::probes).shuffle(std::span(landmarks));
  landmarks.resize(static_cast<size_t>(most_landmarks));
  std::ranges::sort(landmarks);
  const Matrix chosen = select_rows(vectors, landmarks), placed = map::umap(chosen, options, first_part);
  const map::Placer placer(chosen, placed, {.seed = seed},
                           [&](double share) { progress(umap_share + (placed_share - umap_share) * share); });
  Matrix positions = placer.place(vectors);
  for (size_t i = 0; i < landmarks.size(); ++i) {
    std::ranges::copy(placed.row(static_cast<int64_t>(i)), positions.values.begin() + 2 * landmarks[i]);
  }
  return positions;
}

/// Cells of the density: more for more points, none needed finer than a tile that is drawn whole.
int64_t cells_for(int64_t points) {
  int64_t cells = least_cells;
  while (cells < most_cells && points * least_cells * least_cells > map::points_of_a_tile * cells * cells) cells *= 2;
  return cells;
}

std::vector<std::byte> bytes_of(const std::vector<float>& positions, int64_t placed, const map::Quality& quality) {
  const map::Tiles tiles = map::make_tiles(positions, seed);
  MapHead head{tiles.extent, 0, quality, std::ssize(positions) / 2, placed, std::ssize(tiles.tiles), cells_for(placed)};
  std::vector<std::byte> bytes(sizeof head);
  std::memcpy(bytes.data(), &head, sizeof head);
  append(bytes, tiles.tiles);
  append(bytes, positions);
  append(bytes, tiles.row);
  append(bytes, map::count_points(positions, tiles.extent, head.cells));
  append(bytes, tiles.x);
  append(bytes, tiles.y);
  return bytes;
}

}  // namespace

std::string EmbeddingMap::id() const { return id_of(encoder, method); }

ViewIndex::ViewIndex(const Embeddings& embeddings)
    : embeddings_(embeddings), file_(embeddings.path() + ".view", embeddings.fingerprint()) {
  for (const Method method : {Method::umap, Method::pca}) {
    for (const std::string& encoder : embeddings.encoders()) {
      if (const auto bytes = file_.find(id_of(encoder, method))) take(encoder, method, *bytes);
    }
  }
  for (const std::string& encoder : embeddings.encoders()) {
    if (const auto bytes = file_.find(encoder + scores_ending)) take_scores(encoder, *bytes);
  }
}

void ViewIndex::take_scores(const std::string& encoder, std::span<const std::byte> bytes) {
  const auto rows = static_cast<size_t>(embeddings_.rows());
  if (bytes.size() < 2 * rows * sizeof(float)) return;
  const std::span values(reinterpret_cast<const float*>(bytes.data()), 2 * rows);
  const std::scoped_lock lock(mutex_);
  scores_.push_back({encoder + "_outlier",
                     fmt::format("mean distance of the {} nearest by {}, as unit vectors", neighbours - 1, encoder),
                     values.first(rows)});
  scores_.push_back({encoder + "_nearest", fmt::format("cosine of the nearest by {}", encoder), values.subspan(rows)});
}

std::vector<Score> ViewIndex::scores() const {
  const std::scoped_lock lock(mutex_);
  return scores_;
}

void ViewIndex::take(const std::string& encoder, Method method, std::span<const std::byte> bytes) {
  MapHead head;
  const auto misfit = [&] {
    throw Error(fmt::format("{}.view: '{}' is not as this version writes it; delete the file to make it anew",
                            embeddings_.path(), id_of(encoder, method)));
  };
  if (bytes.size() < sizeof head) misfit();
  std::memcpy(&head, bytes.data(), sizeof head);
  auto made = std::make_shared<EmbeddingMap>();
  *made = {encoder, method, head.quality, head.extent, head.placed, {}, {}, {}, {}, {}, head.cells, {}};
  size_t at = sizeof head;
  const auto next = [&]<class T>(std::span<const T>& values, int64_t count) {
    if (count < 0 || static_cast<size_t>(count) > (bytes.size() - at) / sizeof(T)) misfit();
    values = {reinterpret_cast<const T*>(bytes.data() + at), static_cast<size_t>(count)};
    at += values.size_bytes();
  };
  if (head.rows != embeddings_.rows() || head.cells > most_cells) misfit();
  next(made->tiles, head.tiles);
  next(made->positions, 2 * head.rows);
  next(made->row, head.placed);
  next(made->density, head.cells * head.cells);
  next(made->x, head.placed);
  next(made->y, head.placed);
  const std::scoped_lock lock(mutex_);
  maps_.push_back(std::move(made));
}

void ViewIndex::build(Method method, const Report& report) {
  for (const std::string& encoder : embeddings_.encoders()) {
    const std::string id = id_of(encoder, method);
    if (find(id)) continue;
    const std::string what = fmt::format("{} of {}", method == Method::pca ? "principal components" : "UMAP", encoder);
    report(what, 0.0);
    const Usable usable = usable_rows(embeddings_, encoder);
    if (usable.rows.empty()) continue;
    map::NeighbourDistances distances;
    const Matrix placed = method == Method::pca
                              ? principal_positions(usable.vectors)
                              : umap_positions(
                                    usable.vectors, [&](double share) { report(what, share); }, distances);
    report(what, method == Method::pca ? pca_share : placed_share);
    const map::Quality quality = map::quality(usable.vectors, placed, neighbours, objects_of_quality, seed);
    std::vector<float> positions(static_cast<size_t>(2 * embeddings_.rows()), std::numeric_limits<float>::quiet_NaN());
    for (size_t i = 0; i < usable.rows.size(); ++i) {
      std::ranges::copy(placed.row(static_cast<int64_t>(i)), positions.begin() + 2 * usable.rows[i]);
    }
    if (!distances.mean.empty()) {
      const auto rows = static_cast<size_t>(embeddings_.rows());
      std::vector<float> scores(2 * rows, std::numeric_limits<float>::quiet_NaN());
      for (size_t i = 0; i < usable.rows.size(); ++i) {
        const auto row = static_cast<size_t>(usable.rows[i]);
        scores[row] = distances.mean[i];
        scores[rows + row] = 1.0F - 0.5F * distances.least[i] * distances.least[i];
      }
      const std::string name = encoder + scores_ending;
      if (!file_.find(name)) take_scores(encoder, file_.add(name, std::as_bytes(std::span(scores))));
    }
    take(encoder, method, file_.add(id, bytes_of(positions, std::ssize(usable.rows), quality)));
    report(what, 1.0);
  }
}

void ViewIndex::add_sky(std::span<const double> ra, std::span<const double> dec) {
  constexpr double middle = 180.0;
  std::vector<float> positions;
  int64_t placed = 0;
  for (size_t row = 0; row < ra.size(); ++row) {
    const bool is_there = std::isfinite(ra[row]) && std::abs(dec[row]) <= 90.0;
    const double longitude = is_there ? std::remainder(middle - ra[row], 360.0) : std::nan("");
    for (const double value : map::mollweide(longitude, dec[row])) positions.push_back(static_cast<float>(value));
    if (!is_there) positions.back() = std::numeric_limits<float>::quiet_NaN();
    placed += is_there ? 1 : 0;
  }
  if (placed == 0) return;
  const double none = std::numeric_limits<double>::quiet_NaN();
  sky_ = bytes_of(positions, placed, {none, none, 0, 0});
  take("", Method::sky, sky_);
}

std::vector<std::shared_ptr<const EmbeddingMap>> ViewIndex::maps() const {
  const std::scoped_lock lock(mutex_);
  return maps_;
}

std::shared_ptr<const EmbeddingMap> ViewIndex::find(const std::string& id) const {
  for (const auto& one : maps()) {
    if (one->id() == id) return one;
  }
  return nullptr;
}

}  // namespace astroclip::explore
