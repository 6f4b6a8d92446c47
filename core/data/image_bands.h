#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/schema.h"
#include "data/dataset_adapter.h"

namespace astroclip::data {

/// What the images of a dataset are taken as: [dataset.image].
struct ImageOptions {
  enum class Stretching { automatic, rgb, arcsinh, none };
  std::string bands = {};  ///< "": the dataset's
  Stretching stretch = Stretching::automatic;
  std::vector<double> scales = {};  ///< empty: by the names of the bands
  double offset = 0.03;
  double softening = 20.0;
  bool operator==(const ImageOptions&) const = default;
};
const config::Schema<ImageOptions>& image_schema();

/// Whether a modality's measurements are images, of which these options speak.
bool takes_bands(const std::string& modality);

/// Some bands of a dataset's images in an order of their own, with a preprocessing that says so. Fields whose names
/// begin with "image_" and that have the image's bands are taken alike.
class ImageBands final : public DatasetAdapter {
 public:
  /// Planes of the dataset's images, and their table of preprocessing.
  ImageBands(std::shared_ptr<const Dataset> objects, std::vector<int64_t> planes, config::Table image);

  std::vector<Field> fields() const override;
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override;
  config::Table preprocessing() const override;

 private:
  bool has_bands(const Field& field) const;

  std::vector<int64_t> planes_;
  int64_t all_planes_;
  config::Table image_;
};

/// The dataset as an experiment takes its images; the same where it asks for nothing. Throws Error naming the band or
/// the key that does not fit.
std::shared_ptr<Dataset> with_image_options(std::shared_ptr<Dataset> objects, const ImageOptions& options);

/// The dataset with the bands and the stretch of a model's preprocessing; the same where it has them, or where one of
/// both does not name its bands. Throws Error naming the bands when the model takes one that there is not.
std::shared_ptr<const Dataset> as_taken(std::shared_ptr<const Dataset> objects, const config::Table& preprocessing,
                                        const std::string& place);

}  // namespace astroclip::data
