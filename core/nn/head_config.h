#pragma once

#include "config/schema.h"
#include "nn/layers.h"

namespace astroclip::nn {

/// The section `head` of every encoder with a cross-attention head.
struct HeadParameters {
  int64_t width = 1024;
  int64_t heads = 4;
  int64_t hidden = 0;
  double dropout = 0.1;
  bool mlp_residual = false;
};

/// `mlp_residual` differs between the published towers: images false, spectra true.
const config::Schema<HeadParameters>& head_schema();
/// A head on tokens of the given width.
CrossAttentionHead::Options head_options(const HeadParameters& head, int64_t tokens_width);

}  // namespace astroclip::nn
