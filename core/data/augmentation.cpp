#include "data/augmentation.h"

namespace astroclip::data {

const config::Schema<Augmentation>& augmentation_schema() {
  static const auto schema =
      config::Schema<Augmentation>("How augmented views for an encoder are made.")
          .field("flip_rotate", &Augmentation::flip_rotate, "images: random rotation by 90° and reflection")
          .field("shift", &Augmentation::shift, "images: largest random shift of the crop from the centre, in pixels",
                 config::between(0, 4096))
          .field("noise", &Augmentation::noise,
                 "spectra: added Gaussian noise, in units of the spectrum's pixel-to-pixel scatter",
                 config::between(0.0, 10.0));
  return schema;
}

}  // namespace astroclip::data
