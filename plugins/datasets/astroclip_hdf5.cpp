// The published paired file of Legacy Survey images and DESI spectra, or any file of that layout.
#include "data/paired_dataset.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class AstroclipHdf5 final : public data::PairedDataset {
 public:
  struct Parameters {
    std::string path;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("Paired images and spectra from an HDF5 file of the published layout.")
            .required("path", &Parameters::path, "path of the file")
            .renamed("turns", "dataset.views.image.steps")
            .renamed("jitter", "dataset.views.image.crop.shift")
            .renamed("spectrum_noise", "dataset.views.spectrum.relative_noise.level")
            .example(R"(
[dataset]
plugin = "astroclip_hdf5"
path = "data/paired.h5"
)");
    return schema;
  }

  explicit AstroclipHdf5(const Parameters& parameters) : PairedDataset(parameters.path) {}
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Dataset, astroclip::AstroclipHdf5)
