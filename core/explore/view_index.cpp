#include "explore/view_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "map/mollweide.h"
#include "map/placer.h"
#include "map/sampled_neighbours.h"
#include "map/umap.h"
#include "map/unit_rows.h"
#include "search/pca.h"
#include "tensor/matrix.h"

namespace astroclip::explore {

namespace {

constexpr uint64_t seed = 1;
constexpr int64_t graph_neighbours = 15, objects_of_quality = 1000;
constexpr int64_t least_cells = 256, most_cells = 2048;
constexpr const char *scores_ending = "/near", *sampled_ending = "/near_sampled", *codes_ending = "/codes";
constexpr int64_t blocks_of_part = 16;
// Of the time.
constexpr double pca_share = 0.3, umap_share = 0.8, learnt_share = 0.9, placed_share = 0.95, sky_share = 0.5;

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

/// What neighbours tell is under another name where a sample stood in.
std::string scores_section(const std::string& encoder, bool are_sampled) {
  return encoder + (are_sampled ? sampled_ending : scores_ending);
}

using Tell = std::function<void(double share)>;

/// [rows, 2] by what gives the positions of some rows.
template <class Place>
Matrix placed_by(const map::UnitRows& usable, const Tell& tell, Place place) {
  Matrix positions{0, 2, {}};
  positions.values.reserve(static_cast<size_t>(2 * usable.count()));
  usable.for_each_block([&](int64_t first, const Matrix& vectors) {
    tell(static_cast<double>(first) / static_cast<double>(usable.count()));
    positions.append(place(vectors));
  });
  return positions;
}

/// [rows, 2], by the principal components of a sample.
Matrix principal_positions(const map::UnitRows& usable, int64_t most_landmarks, const Tell& tell) {
  if (usable.count() < 2) return {usable.count(), 2, std::vector<float>(static_cast<size_t>(2 * usable.count()))};
  const search::Pca pca = search::Pca::fit(usable.select(usable.sample(most_landmarks, seed)), 2, seed);
  return placed_by(usable, tell, [&](const Matrix& vectors) {
    const Matrix scores = pca.transform(vectors);
    Matrix positions{vectors.rows, 2, std::vector<float>(static_cast<size_t>(2 * vectors.rows))};
    for (int64_t row = 0; row < vectors.rows; ++row) {
      std::ranges::copy(scores.row(row), positions.values.begin() + 2 * row);
    }
    return positions;
  });
}

/// [rows, 2]. Of more rows than landmarks the others are placed as a network has learnt from the landmarks; distances
/// are then of none.
Matrix umap_positions(const map::UnitRows& usable, int64_t most_landmarks, const Tell& tell, const map::Keeper& keeper,
                      map::NeighbourDistances& distances) {
  const map::UmapOptions options{.neighbours = graph_neighbours, .seed = seed};
  const std::vector<int64_t> landmarks = usable.sample(most_landmarks, seed);
  const Matrix chosen = usable.select(landmarks);
  const auto first_part = [&](double share) { tell(umap_share * share); };
  if (chosen.rows == usable.count()) return map::umap(chosen, options, first_part, &distances, &keeper);
  const Matrix placed = map::umap(chosen, options, first_part, nullptr, &keeper);
  const map::Placer placer(chosen, placed, {.seed = seed},
                           [&](double share) { tell(umap_share + (learnt_share - umap_share) * share); });
  Matrix positions = placed_by(
      usable, [&](double share) { tell(learnt_share + (placed_share - learnt_share) * share); },
      [&](const Matrix& vectors) { return placer.place(vectors); });
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

std::vector<std::byte> bytes_of(const std::vector<float>& positions, int64_t placed, const map::Quality& quality,
                                const std::function<void()>& between) {
  const map::Tiles tiles = map::make_tiles(positions, seed, between);
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

/// Keeps what belongs to an encoder.
map::Keeper keeper_in(SectionFile& file, const std::string& encoder) {
  return {[&file, encoder](const std::string& name) { return file.find(encoder + "/" + name); },
          [&file, encoder](const std::string& name, std::span<const std::byte> bytes) {
            file.add(encoder + "/" + name, bytes);
          }};
}

}  // namespace

std::string EmbeddingMap::id() const { return id_of(encoder, method); }

ViewIndex::ViewIndex(const Embeddings& embeddings, const ViewIndexSizes& sizes)
    : embeddings_(embeddings), sizes_(sizes), file_(embeddings.path() + ".view", embeddings.fingerprint()) {
  for (const Method method : {Method::umap, Method::pca}) {
    for (const std::string& encoder : embeddings.encoders()) {
      if (const auto bytes = file_.find(id_of(encoder, method))) take(encoder, method, *bytes);
    }
  }
  for (const std::string& encoder : embeddings.encoders()) {
    for (const bool are_sampled : {false, true}) {
      if (const auto bytes = file_.find(scores_section(encoder, are_sampled)))
        take_scores(encoder, are_sampled, *bytes);
    }
  }
}

void ViewIndex::add_scores(const std::string& encoder, bool are_sampled, const map::UnitRows& usable,
                           const map::NeighbourDistances& distances) {
  const auto rows = static_cast<size_t>(embeddings_.rows());
  std::vector<float> scores(2 * rows, std::numeric_limits<float>::quiet_NaN());
  for (int64_t i = 0; i < usable.count(); ++i) {
    const auto row = static_cast<size_t>(usable.row(i)), at = static_cast<size_t>(i);
    scores[row] = distances.mean[at];
    if (std::isfinite(distances.least[at]))
      scores[rows + row] = 1.0F - 0.5F * distances.least[at] * distances.least[at];
  }
  const std::string name = scores_section(encoder, are_sampled);
  if (!file_.find(name)) take_scores(encoder, are_sampled, file_.add(name, std::as_bytes(std::span(scores))));
}

void ViewIndex::take_scores(const std::string& encoder, bool are_sampled, std::span<const std::byte> bytes) {
  const auto rows = static_cast<size_t>(embeddings_.rows());
  if (bytes.size() < 2 * rows * sizeof(float)) return;
  const std::span values(reinterpret_cast<const float*>(bytes.data()), 2 * rows);
  const std::scoped_lock lock(mutex_);
  scores_.push_back(
      {encoder + "_outlier",
       fmt::format("mean distance of the {} nearest by {}{}, as unit vectors", graph_neighbours - 1, encoder,
                   are_sampled ? fmt::format(" among {} at random", sampled_options().references) : std::string()),
       values.first(rows)});
  scores_.push_back(
      {encoder + "_nearest",
       fmt::format("cosine of the nearest by {}{}", encoder, are_sampled ? " among those near the same of these" : ""),
       values.subspan(rows)});
}

std::vector<Score> ViewIndex::scores() const {
  const std::scoped_lock lock(mutex_);
  return scores_;
}

std::string ViewIndex::unfinished_path() const { return embeddings_.path() + ".view.unfinished"; }

void ViewIndex::misfit(const std::string& section) const {
  throw Error(fmt::format("{}.view: '{}' is not as this version writes it; delete the file to make it anew",
                          embeddings_.path(), section));
}

void ViewIndex::take(const std::string& encoder, Method method, std::span<const std::byte> bytes) {
  MapHead head;
  const std::string id = id_of(encoder, method);
  if (bytes.size() < sizeof head) misfit(id);
  std::memcpy(&head, bytes.data(), sizeof head);
  auto made = std::make_shared<EmbeddingMap>();
  *made = {encoder, method, head.quality, head.extent, head.placed, {}, {}, {}, {}, {}, head.cells, {}};
  size_t at = sizeof head;
  const auto next = [&]<class T>(std::span<const T>& values, int64_t count) {
    if (count < 0 || static_cast<size_t>(count) > (bytes.size() - at) / sizeof(T)) misfit(id);
    values = {reinterpret_cast<const T*>(bytes.data() + at), static_cast<size_t>(count)};
    at += values.size_bytes();
  };
  if (head.rows != embeddings_.rows() || head.cells > most_cells) misfit(id);
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
  bool is_made = false;
  for (const std::string& encoder : embeddings_.encoders()) {
    const std::string id = id_of(encoder, method);
    if (find(id)) continue;
    const std::string what = fmt::format("{} of {}", method == Method::pca ? "principal components" : "UMAP", encoder);
    report(what, 0.0);
    const map::UnitRows usable(embeddings_.vectors(encoder), embeddings_.width(encoder));
    if (usable.count() == 0) continue;
    map::NeighbourDistances distances;
    Matrix placed;
    if (method == Method::pca) {
      placed =
          principal_positions(usable, sizes_.most_compared, [&](double share) { report(what, pca_share * share); });
    } else {
      SectionFile kept(unfinished_path(), embeddings_.fingerprint());
      placed = umap_positions(
          usable, sizes_.most_compared, [&](double share) { report(what, share); }, keeper_in(kept, encoder),
          distances);
    }
    const double share = method == Method::pca ? pca_share : placed_share;
    const map::Quality quality =
        map::quality(usable.source(), placed, graph_neighbours, objects_of_quality, seed, [&] { report(what, share); });
    std::vector<float> positions(static_cast<size_t>(2 * embeddings_.rows()), std::numeric_limits<float>::quiet_NaN());
    for (int64_t i = 0; i < usable.count(); ++i)
      std::ranges::copy(placed.row(i), positions.begin() + 2 * usable.row(i));
    if (!distances.mean.empty()) add_scores(encoder, false, usable, distances);
    take(encoder, method, file_.add(id, bytes_of(positions, usable.count(), quality, [&] { report(what, share); })));
    report(what, 1.0);
    is_made = true;
  }
  if (method == Method::umap && is_made) std::filesystem::remove(unfinished_path());
}

map::SampledOptions ViewIndex::sampled_options() const {
  map::SampledOptions options{.neighbours = graph_neighbours - 1, .seed = seed};
  options.references = std::min(options.references, sizes_.most_compared);
  return options;
}

void ViewIndex::build_scores(const Report& report) {
  for (const std::string& encoder : embeddings_.encoders()) {
    const std::string what = fmt::format("outliers and near-duplicates of {}", encoder);
    if (file_.find(scores_section(encoder, false)) || file_.find(scores_section(encoder, true))) continue;
    report(what, 0.0);
    const map::UnitRows usable(embeddings_.vectors(encoder), embeddings_.width(encoder));
    if (usable.count() <= sizes_.most_compared) continue;
    SectionFile kept(unfinished_path(), embeddings_.fingerprint());
    const map::Keeper keeper = keeper_in(kept, encoder);
    add_scores(encoder, true, usable,
               map::sampled_distances(
                   usable, sampled_options(), [&](double share) { report(what, share); }, &keeper));
    report(what, 1.0);
  }
  std::filesystem::remove(unfinished_path());
}

void ViewIndex::build_codes(const Report& report) {
  for (const std::string& encoder : embeddings_.encoders()) {
    const std::string what = fmt::format("index of {} for neighbours", encoder), name = encoder + codes_ending;
    const auto rows = embeddings_.vectors(encoder);
    const int64_t width = embeddings_.width(encoder), of_block = block_rows(encoder) * width;
    bool any = false;
    const auto kept = [&](const std::string& section, auto make) {
      const auto found = file_.find(section);
      if (found) return *found;
      any = true;
      return file_.add(section, make());
    };
    auto codes = std::make_shared<map::QuantisedRows>();
    const auto centre = kept(name, [&] {
      const std::vector<float> made = map::centre_of_units(rows, width);
      std::vector<std::byte> bytes;
      append(bytes, made);
      return bytes;
    });
    codes->centre.resize(static_cast<size_t>(width));
    if (centre.size() != codes->centre.size() * sizeof(float)) misfit(name);
    std::memcpy(codes->centre.data(), centre.data(), centre.size());
    codes->block_rows = block_rows(encoder);
    const int64_t blocks = (embeddings_.rows() + codes->block_rows - 1) / codes->block_rows;
    for (int64_t block = 0; block < blocks; ++block) {
      report(what, static_cast<double>(block) / static_cast<double>(blocks));
      const auto some =
          rows.subspan(static_cast<size_t>(block * of_block),
                       std::min(static_cast<size_t>(of_block), rows.size() - static_cast<size_t>(block * of_block)));
      const std::string section = fmt::format("{}/{}", name, block);
      const auto bytes = kept(section, [&] { return map::quantised(some, codes->centre); });
      if (bytes.size() != map::quantised_bytes(std::ssize(some) / width, width)) misfit(section);
      codes->blocks.push_back(bytes);
    }
    if (any) report(what, 1.0);
    const std::scoped_lock lock(mutex_);
    codes_[encoder] = std::move(codes);
  }
}

int64_t ViewIndex::block_rows(const std::string& encoder) const {
  return std::max<int64_t>(1, sizes_.part_bytes / (blocks_of_part * embeddings_.width(encoder)));
}

int64_t ViewIndex::parts(const std::string& among) const {
  const int64_t of_part = blocks_of_part * block_rows(among);
  return (embeddings_.rows() + of_part - 1) / of_part;
}

std::vector<std::vector<map::Similar>> ViewIndex::most_similar(std::span<const std::span<const float>> queries,
                                                               const std::string& among, int64_t part, int64_t k,
                                                               int64_t except) const {
  const int64_t of_part = blocks_of_part * block_rows(among);
  return most_similar(queries, among, part * of_part, std::min(embeddings_.rows(), (part + 1) * of_part), k, except);
}

std::vector<map::Similar> ViewIndex::most_similar(std::span<const float> query, const std::string& among,
                                                  int64_t k) const {
  return most_similar(std::span(&query, 1), among, 0, embeddings_.rows(), k, -1)[0];
}

std::vector<std::vector<map::Similar>> ViewIndex::most_similar(std::span<const std::span<const float>> queries,
                                                               const std::string& among, int64_t first, int64_t last,
                                                               int64_t k, int64_t except) const {
  std::shared_ptr<const map::QuantisedRows> codes;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = codes_.find(among); found != codes_.end()) codes = found->second;
  }
  return map::most_similar(queries, embeddings_.vectors(among), codes.get(), first, last, k, except);
}

void ViewIndex::add_sky(std::span<const double> ra, std::span<const double> dec, const Report& report) {
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
  sky_ = bytes_of(positions, placed, {none, none, 0, 0}, [&] { report("map of the sky", sky_share); });
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
