#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "config/schema.h"

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

/// Some bands of a dataset's images in an order of their own, with a preprocessing that says so. Fields whose names
/// begin with "image_" and that have the image's bands are taken alike.
class ImageBands final : public Dataset {
 public:
  /// Planes of the dataset's images, and their table of preprocessing.
  ImageBands(std::shared_ptr<const Dataset> objects, std::vector<int64_t> planes, config::Table image);

  std::vector<Field> fields() const override;
  int64_t size(Split split) const override { return objects_->size(split); }
  ReadPlan read_plan(Split split) const override { return objects_->read_plan(split); }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override;
  IdKind id_kind() const override { return objects_->id_kind(); }
  std::vector<std::string> id_texts(Split split, std::span<const int64_t> rows) const override {
    return objects_->id_texts(split, rows);
  }
  std::vector<std::string> text_labels() const override { return objects_->text_labels(); }
  std::vector<std::string> texts(Split split, std::span<const int64_t> rows, const std::string& label) const override {
    return objects_->texts(split, rows, label);
  }
  std::vector<std::string> files() const override { return objects_->files(); }
  config::Table preprocessing() const override;
  std::vector<std::string> notes() const override { return objects_->notes(); }

 private:
  bool has_bands(const Field& field) const;

  std::shared_ptr<const Dataset> objects_;
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
