// Images of the 76-million-galaxy survey (Stein et al. 2021), or any files of that layout; images or spectra of the
// Multimodal Universe.
#include "data/survey_dataset.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class SurveyImages final : public data::SurveyDataset {
 public:
  struct Parameters {
    std::vector<std::string> files;
    std::string object_id;
    double train_fraction = 0.9;
    int64_t cache_mb = 1024;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>(
            "Images, or spectra, from HDF5 files of the image survey's layout or the Multimodal Universe's.")
            .required("files", &Parameters::files, "files, folders of *.h5, or patterns with *")
            .field("object_id", &Parameters::object_id,
                   "column of the objects' ids; \"\": object_id, targetid or the like, else DESI's TARGETID made of "
                   "release, brickid and objid, else the row's number")
            .field("train_fraction", &Parameters::train_fraction,
                   "of every thousand rows of a file the first so many train, the others test",
                   config::between(0.0, 1.0))
            .field("cache_mb", &Parameters::cache_mb, "memory for decoded chunks of compressed files, in 2^20 bytes",
                   config::between(0, 1 << 20))
            .renamed("turns", "dataset.views.image.steps")
            .renamed("jitter", "dataset.views.image.crop.shift")
            .example(R"(
[dataset]
plugin = "survey_images"
files = ["data/north/*.h5", "data/south"]
train_fraction = 0.9
)");
    return schema;
  }

  explicit SurveyImages(const Parameters& parameters)
      : SurveyDataset({parameters.files, parameters.object_id, parameters.train_fraction, parameters.cache_mb << 20}) {}
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Dataset, astroclip::SurveyImages)
