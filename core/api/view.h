#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace astroclip {

/// A view of one modality that a loss (or an evaluation) wants of each object.
struct ViewRequest {
  std::string name;           ///< the key under which the loss finds it
  std::string tower = {};     ///< the encoder that takes it, by its key under [encoders]; a loss says which
  std::string modality = {};  ///< made of the dataset's field of this name; of a loss's view the tower's
  bool augment = false;       ///< by the steps of [dataset.views.GROUP] in the experiment; else the centre, unchanged
  int64_t crops = 1;          ///< how many independent draws of each object
  /// The groups by which crops are augmented: the first crop by the first group and so on, from the first one again
  /// after the last. None: the group of the tower's name. A view's groups make crops of one size.
  std::vector<std::string> groups = {};
  std::string field = {};  ///< another field to make it of, in the modality's place: "spectrum_ivar"
  /// Another view whose crops and turns it shares pixel by pixel (an image's mask); that view's `augment`, `crops` and
  /// `groups` count.
  std::string with = {};
  /// The loss calls LossContext::embed on it and nothing else, so that it need not be made where the features of a
  /// frozen backbone are kept.
  bool embedding_only = false;
  bool operator==(const ViewRequest&) const = default;
};

}  // namespace astroclip
