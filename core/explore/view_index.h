#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "explore/embeddings.h"
#include "explore/section_file.h"
#include "map/quality.h"
#include "map/sampled_neighbours.h"
#include "map/similar.h"
#include "map/tiles.h"
#include "map/unit_rows.h"

namespace astroclip::explore {

enum class Method { pca, umap, sky };

/// A map of one encoder's embeddings, in the bytes of a view index; or of the objects on the sky.
struct EmbeddingMap {
  std::string encoder;  ///< of the sky ""
  Method method = Method::pca;
  map::Quality quality;
  map::Extent extent;
  int64_t placed = 0;                ///< objects that have a position
  std::span<const float> positions;  ///< [rows, 2]; NaN for objects without the modality
  std::span<const map::Tile> tiles;
  std::span<const uint16_t> x, y;  ///< of points, as in map::Tiles
  std::span<const uint32_t> row;
  int64_t cells = 0;
  std::span<const uint32_t> density;  ///< as map::count_points gives for `cells`

  /// "image/pca", or "sky"
  std::string id() const;
};

/// A number for each object that its neighbours tell.
struct Score {
  std::string name, meaning;      ///< "image_outlier"
  std::span<const float> values;  ///< [rows]; NaN for objects without the modality
};

/// Told what is being made, and the share that is done; may throw to end the work.
using Report = std::function<void(const std::string& what, double share)>;

struct ViewIndexSizes {
  int64_t part_bytes = int64_t{1} << 30;  ///< of codes in a part of the rows that neighbours are looked for in
  int64_t most_compared = 200000;         ///< objects that are all compared with each other; of more a sample stands in
};

/// The maps of embeddings, and codes to find neighbours with, kept in a file beside them. What is there is read; the
/// rest is made, bit by bit, and added, so that making goes on where it was ended. Thread-safe.
class ViewIndex {
 public:
  /// EMBEDDINGS.h5.view. Throws Error when that file belongs to other embeddings, is damaged or cannot be written.
  explicit ViewIndex(const Embeddings& embeddings, const ViewIndexSizes& sizes = {});

  /// Makes the maps that are missing: of every encoder the principal components, or UMAP. One of these at a time.
  void build(Method method, const Report& report);
  /// Makes the codes that are missing, and checks the others; neighbours are found by them from then on.
  void build_codes(const Report& report);
  /// Makes the scores that UMAP's graph does not tell, since it is of some objects only.
  void build_scores(const Report& report);
  /// Adds the map of the sky, right ascension 180° in its middle and rising to the left (map/mollweide.h), of positions
  /// in degrees for each row. It is not kept in the file.
  void add_sky(std::span<const double> ra, std::span<const double> dec, const Report& report);
  /// Those that there are.
  std::vector<std::shared_ptr<const EmbeddingMap>> maps() const;
  std::shared_ptr<const EmbeddingMap> find(const std::string& id) const;
  /// Of each encoder the mean distance of the 14 nearest as unit vectors, and the cosine of the nearest: as UMAP's
  /// graph has them, or of more objects than are all compared as map/sampled_neighbours.h does.
  std::vector<Score> scores() const;

  /// Neighbours among an encoder's embeddings are looked for in so many parts.
  int64_t parts(const std::string& among) const;
  /// Of each query, the k most similar of a part's rows (map/similar.h).
  std::vector<std::vector<map::Similar>> most_similar(std::span<const std::span<const float>> queries,
                                                      const std::string& among, int64_t part, int64_t k,
                                                      int64_t except) const;
  /// Of one query, among all rows.
  std::vector<map::Similar> most_similar(std::span<const float> query, const std::string& among, int64_t k) const;

 private:
  /// Where parts of what takes long are kept until it is there.
  std::string unfinished_path() const;
  [[noreturn]] void misfit(const std::string& section) const;
  void take(const std::string& encoder, Method method, std::span<const std::byte> bytes);
  map::SampledOptions sampled_options() const;
  /// Keeps the scores of an encoder's usable rows.
  void add_scores(const std::string& encoder, bool are_sampled, const map::UnitRows& usable,
                  const map::NeighbourDistances& distances);
  void take_scores(const std::string& encoder, bool are_sampled, std::span<const std::byte> bytes);
  std::vector<std::vector<map::Similar>> most_similar(std::span<const std::span<const float>> queries,
                                                      const std::string& among, int64_t first, int64_t last, int64_t k,
                                                      int64_t except) const;
  int64_t block_rows(const std::string& encoder) const;

  const Embeddings& embeddings_;
  ViewIndexSizes sizes_;
  SectionFile file_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const EmbeddingMap>> maps_;
  std::vector<Score> scores_;
  std::map<std::string, std::shared_ptr<const map::QuantisedRows>> codes_;  ///< by encoder
  std::vector<std::byte> sky_;                                              ///< the bytes of its map
};

}  // namespace astroclip::explore
