#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "experiment/experiment.h"
#include "model/model.h"
#include "model/origins.h"

namespace astroclip::evaluate {

/// What an encoder's embedding of some objects attends to.
struct Attention {
  std::string encoder, modality;
  std::vector<int64_t> objects;  ///< places among the test objects
  int64_t heads = 0, tokens = 0;
  std::vector<float> weights;  ///< [objects, heads, tokens]
  /// Where the values of each token lie in the view, in pixels from 0: [tokens, 2] of images, column and row, or
  /// [tokens, 1]; NaN of a token that holds no value of its own.
  std::vector<float> places;
  int64_t side = 0;  ///< pixels of a view along an axis
};

/// Of each encoder that has attention weights, as the evaluation embeds, and of those of the objects (places in `rows`,
/// which are the test objects' in the dataset) that have its modality.
std::vector<Attention> attention_of(const Experiment& experiment, const Model& model, const Origins& origins,
                                    const Dataset& dataset, const std::vector<int64_t>& rows,
                                    const std::vector<int64_t>& objects);

}  // namespace astroclip::evaluate
