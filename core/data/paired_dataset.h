#pragma once

#include <string>

#include "api/dataset.h"
#include "data/image_view.h"
#include "data/layouts/paired_file.h"

namespace astroclip::data {

/// What augmented views do beside cropping.
struct Augmentation {
  ImageAugmentation image = {};
  double spectrum_noise = 0.0;  ///< spectra: Gaussian noise in units of the spectrum's pixel-to-pixel scatter
};

/// A dataset read from a file in the published paired layout. The test objects are the last 20 % of every group, unless
/// more of ten are for training.
class PairedDataset : public Dataset {
 public:
  /// Throws Error naming the file and what is wrong with it.
  PairedDataset(const std::string& path, const Augmentation& augmentation, int64_t train_tenths = 8,
                PairedNeeds needs = PairedNeeds::everything);

  std::vector<Field> fields() const override;
  int64_t size(Split split) const override;
  ReadPlan read_plan(Split split) const override;
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override;
  std::string source_field(const std::string& modality) const override;
  void make_view(const ViewRequest& view, std::span<const float> raw, const Shape& view_shape, Rng& rng,
                 std::span<float> out) const override;
  config::Table preprocessing() const override;

 private:
  PairedFile file_;
  Augmentation augmentation_;
};

}  // namespace astroclip::data
