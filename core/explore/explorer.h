#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "explore/catalogue.h"
#include "explore/columns.h"
#include "explore/embeddings.h"
#include "explore/own_galaxies.h"
#include "explore/predictions.h"
#include "explore/samp_link.h"
#include "explore/selections.h"
#include "explore/thumbnails.h"
#include "explore/view_index.h"
#include "map/selecting.h"
#include "serve/http_server.h"

namespace astroclip::explore {

/// What the page of the explorer asks for, answered: its own files, and under "api/" the maps, objects, neighbours and
/// selections of one file of embeddings. docs/explorer.md lists the addresses. Thread-safe.
class Explorer {
 public:
  /// The data may have no inputs; without a model nothing can be uploaded. All but the predictions are kept by
  /// reference.
  Explorer(const Embeddings& embeddings, const Catalogue& catalogue, ViewIndex& index, OwnGalaxies* own = nullptr,
           std::vector<Predicted> predictions = {});

  /// The address to which galaxies are uploaded.
  static constexpr const char* upload_path = "api/own";

  /// Throws serve::NotFound, or Error for a request that makes no sense.
  serve::Response answer(const serve::Request& request);

  /// Says what is being made, for the page; "" when nothing is.
  void set_work(const std::string& what, double share);

 private:
  enum class Format { csv, fits, votable };

  serve::Response state();
  serve::Response map_details(const serve::Request& request) const;
  serve::Response tile(const serve::Request& request) const;
  serve::Response tile_values(const serve::Request& request) const;
  serve::Response tile_selected(const serve::Request& request) const;
  serve::Response column(const serve::Request& request) const;
  serve::Response density(const serve::Request& request) const;
  serve::Response object(const serve::Request& request) const;
  serve::Response measurement(const serve::Request& request) const;
  serve::Response reconstruction(const serve::Request& request) const;
  serve::Response thumbnails(const serve::Request& request) const;
  serve::Response neighbours(const serve::Request& request) const;
  serve::Response nearest(const serve::Request& request) const;
  serve::Response similar(const serve::Request& request) const;
  serve::Response find(const serve::Request& request) const;
  serve::Response upload(const serve::Request& request);
  serve::Response own_object(const OwnGalaxies::Galaxy& galaxy) const;
  serve::Response table(const serve::Request& request) const;
  serve::Response exported(const serve::Request& request, Format format) const;
  serve::Response select(const serve::Request& request);
  serve::Response rename(const serve::Request& request);
  serve::Response forget(const serve::Request& request);
  serve::Response samp(const serve::Request& request);

  std::shared_ptr<const EmbeddingMap> map_of(const serve::Request& request) const;
  const map::Tile& tile_of(const EmbeddingMap& of, const serve::Request& request) const;
  int64_t row_of(const serve::Request& request) const;
  /// The uploaded galaxy that a request names as "own"; null where it names a row.
  std::shared_ptr<const OwnGalaxies::Galaxy> own_of(const serve::Request& request) const;
  /// Throws Error unless the embeddings `among` have the width of those of `query`.
  void expect_width(const std::string& among, int64_t width, const std::string& query) const;

  const Embeddings& embeddings_;
  const Catalogue& catalogue_;
  ViewIndex& index_;
  OwnGalaxies* own_;
  Columns columns_;
  Thumbnails thumbnails_;
  Selections selections_;
  SampLink samp_;
  mutable std::mutex mutex_;
  std::string work_;
  double share_ = 0;
};

}  // namespace astroclip::explore
