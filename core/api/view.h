#pragma once

#include <cstdint>
#include <string>

namespace astroclip {

/// A view of one modality that a loss (or an evaluation) wants of each object.
struct ViewRequest {
  std::string name;        ///< the key under which the loss finds it
  std::string modality;    ///< whose encoder takes it; made of the dataset's field of this name
  bool augment = false;    ///< as [augmentation.ENCODER] of the experiment says; else the centre, unchanged
  int64_t crops = 1;       ///< how many independent draws of each object
  int64_t size = 0;        ///< side of an image crop in pixels; 0: the encoder's input
  std::string field = {};  ///< another field to make it of, in the modality's place: "spectrum_ivar"
  /// Another view whose crops and turns it shares pixel by pixel (an image's mask); that view's `augment`, `crops` and
  /// `size` count.
  std::string with = {};
  bool operator==(const ViewRequest&) const = default;
};

}  // namespace astroclip
