#pragma once

#include <cstdint>
#include <string>

namespace astroclip {

/// A view of one modality that a loss (or an evaluation) wants of each object.
struct ViewRequest {
  std::string name;           ///< the key under which the loss finds it
  std::string tower = {};     ///< the encoder that takes it, by its key under [encoders]; a loss says which
  std::string modality = {};  ///< made of the dataset's field of this name; of a loss's view the tower's
  bool augment = false;       ///< as [augmentation.ENCODER] of the experiment says; else the centre, unchanged
  int64_t crops = 1;          ///< how many independent draws of each object
  int64_t size = 0;           ///< side of an image crop in pixels; 0: the encoder's input
  std::string field = {};     ///< another field to make it of, in the modality's place: "spectrum_ivar"
  /// Another view whose crops and turns it shares pixel by pixel (an image's mask); that view's `augment`, `crops` and
  /// `size` count.
  std::string with = {};
  /// The loss calls LossContext::embed on it and nothing else, so that it need not be made where the features of a
  /// frozen backbone are kept.
  bool embedding_only = false;
  bool operator==(const ViewRequest&) const = default;
};

}  // namespace astroclip
