#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "config/schema.h"
#include "data/dataset_adapter.h"

namespace astroclip::data {

/// Of which labels a dataset makes the modality "photometry": [dataset.photometry].
struct PhotometryOptions {
  std::vector<std::string> magnitudes = {};  ///< empty: the dataset has no photometry
  std::vector<std::string> errors = {};      ///< along magnitudes; empty: none is known
};
const config::Schema<PhotometryOptions>& photometry_schema();

/// A dataset with the field "photometry" [3, bands]: magnitudes, their errors, and 1 where a band was measured. A band
/// whose magnitude, or whose error where errors are given, is missing is 0 in all three. The label "has_photometry" is
/// 0 for objects without any band.
class WithPhotometry final : public DatasetAdapter {
 public:
  /// Throws Error when a label is not there, when an error is below 0, and when no object has a magnitude.
  WithPhotometry(std::shared_ptr<const Dataset> objects, PhotometryOptions options);

  std::vector<Field> fields() const override;
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override;
  config::Table preprocessing() const override;
  /// The dataset's, and how many objects lack which bands.
  std::vector<std::string> notes() const override;

 private:
  std::vector<float> photometry_of(Split split);

  PhotometryOptions options_;
  std::vector<int64_t> missing_;           ///< objects by band
  int64_t without_ = 0;                    ///< objects without any band
  std::array<std::vector<float>, 2> all_;  ///< [objects, 3, bands] of both splits
};

/// The dataset with the photometry that is asked for; the same where none is.
std::shared_ptr<Dataset> with_photometry(std::shared_ptr<Dataset> objects, const PhotometryOptions& options);

}  // namespace astroclip::data
