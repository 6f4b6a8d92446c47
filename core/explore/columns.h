#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "explore/catalogue.h"
#include "explore/embeddings.h"
#include "explore/latest.h"
#include "explore/predictions.h"
#include "explore/view_index.h"
#include "map/selecting.h"

namespace astroclip::explore {

/// Everything that objects can be coloured and selected by, by one set of names: columns of the data, scores of the
/// view index, and of each prediction PROPERTY_predicted_ENCODER, PROPERTY_residual_ENCODER (predicted − true) and, of
/// a posterior, PROPERTY_median_ENCODER, …_median_residual_… and …_median_error_…; and of each map its density,
/// ENCODER_umap_density. Of two with one name the data's is meant. Thread-safe. Keeps all by reference but the
/// predictions.
class Columns {
 public:
  Columns(const Embeddings& embeddings, const Catalogue& catalogue, const ViewIndex& index,
          std::vector<Predicted> predictions);

  std::vector<Catalogue::Column> all() const;
  /// A number for each row, NaN where there is none. Those of the columns that were asked for last are kept. Throws
  /// Error for a column that is unknown or text.
  std::shared_ptr<const std::vector<float>> values(const std::string& name) const;
  /// The values of rows, missing where there are none; of "object_id" the identifiers. Throws Error for an unknown one.
  io::Column read(const std::string& name, std::span<const int64_t> rows) const;
  const std::vector<Predicted>& predictions() const { return predictions_; }

  /// The rows of which a condition (data/where.h) on columns and object_id is true.
  map::Mask where(const std::string& condition) const;
  struct Near {
    int64_t row = 0;
    double separation = 0;  ///< arcseconds
  };
  /// The object nearest to a position in degrees, within a minute of arc. Throws Error when the data have no positions.
  std::optional<Near> nearest_on_sky(double ra, double dec) const;

 private:
  /// A column of one of the predictions.
  struct OfPrediction {
    size_t prediction = 0;
    enum class What { predicted, residual, error } what = What::predicted;
  };
  bool is_of_data(const std::string& name) const;
  float number_of(const OfPrediction& column, int64_t row) const;
  /// Tells the numbers of a column that the data do not have; empty for other names.
  std::function<float(int64_t row)> made(const std::string& name) const;

  const Embeddings& embeddings_;
  const Catalogue& catalogue_;
  const ViewIndex& index_;
  std::vector<Predicted> predictions_;
  std::vector<Catalogue::Column> described_;            ///< those of predictions
  std::map<std::string, OfPrediction> of_predictions_;  ///< by name
  mutable std::mutex mutex_;
  mutable Latest<std::string, std::shared_ptr<const std::vector<float>>> values_;
};

}  // namespace astroclip::explore
