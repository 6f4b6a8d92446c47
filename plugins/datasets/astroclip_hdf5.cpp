// The published paired file of Legacy Survey images and DESI spectra, or any file of that layout.
#include "data/paired_dataset.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class AstroclipHdf5 final : public data::PairedDataset {
 public:
  struct Parameters {
    std::string path;
    bool turns = true;
    int64_t jitter = 4;
    double spectrum_noise = 0.0;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("Paired images and spectra from an HDF5 file of the published layout.")
            .required("path", &Parameters::path, "the file")
            .field("turns", &Parameters::turns, "augmented images: rotation by 90° and reflection")
            .field("jitter", &Parameters::jitter, "augmented images: pixels off the centre at most",
                   config::between(0, 76))
            .field("spectrum_noise", &Parameters::spectrum_noise,
                   "augmented spectra: added noise, in units of their own", config::between(0.0, 10.0))
            .example(R"(
[dataset]
plugin = "astroclip_hdf5"
path = "data/paired.h5"
)");
    return schema;
  }

  explicit AstroclipHdf5(const Parameters& parameters)
      : PairedDataset(parameters.path, {{parameters.turns, parameters.jitter}, parameters.spectrum_noise}) {}
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Dataset, astroclip::AstroclipHdf5)
