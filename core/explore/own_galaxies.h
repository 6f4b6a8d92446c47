#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "embed/inputs.h"
#include "embed/loaded_model.h"
#include "explore/catalogue.h"
#include "explore/embeddings.h"
#include "explore/turns.h"

namespace astroclip::explore {

/// Galaxies that a user uploads, embedded by the model of the embeddings and kept until the program ends, the latest
/// fifty of them. Thread-safe.
class OwnGalaxies {
 public:
  /// `computing` is held while the model computes. Throws Error unless the model is that of the embeddings: by its
  /// hash, or, where they do not say it, by the embedding of an object that the catalogue has.
  OwnGalaxies(const Embeddings& embeddings, const Catalogue& catalogue, const std::string& model, Turns& computing);

  struct Galaxy {
    int64_t id = 0;
    std::string name;
    std::map<std::string, std::vector<float>> vectors;  ///< by encoder
    embed::Input input;
    int64_t row = 0;  ///< of the input
    std::vector<std::string> notes;
  };
  /// The galaxies of the bytes of FITS files, each perhaps gzipped; "" for none. An image and a spectrum are of one
  /// galaxy. Throws Error saying why nothing, or not all, could be taken.
  std::vector<std::shared_ptr<const Galaxy>> add(std::string_view image, std::string_view spectrum);
  std::vector<std::shared_ptr<const Galaxy>> all() const;
  /// Null when there is none.
  std::shared_ptr<const Galaxy> find(int64_t id) const;

  /// The fields that the model reconstructs.
  std::vector<std::string> reconstructed() const;
  /// A spectrum as the model predicts its parts from the rest (embed/loaded_model.h); empty where it does not.
  std::vector<float> reconstruction(const std::string& field, embed::Input input, int64_t row) const;

 private:
  void check(const Catalogue& catalogue) const;

  const Embeddings& embeddings_;
  embed::LoadedModel model_;
  std::vector<EncoderSpec> encoders_;
  Turns& computing_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const Galaxy>> galaxies_;
  int64_t last_ = 0;
};

}  // namespace astroclip::explore
