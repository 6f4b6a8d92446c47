#pragma once

#include "backend/cuda/dnn_graph.h"

/// Attention as graphs of cuDNN, for any strides of the heads. What its fused engines recognise is products with a
/// softmax between, written as cuDNN's manual does.
namespace astroclip::cuda::dnn {

/// A graph of attention, however written.
struct AttentionTensors {
  Graph graph;
  int64_t q = -1, k = -1, v = -1, scale = -1, y = -1, stats = -1;

  /// `scale_value` must live until the plan has run.
  Pointers pointers(const AttentionArguments& arguments, const float& scale_value) const;
};

struct AttentionGraph : AttentionTensors {
  explicit AttentionGraph(const AttentionArguments& arguments);
};

/// dq comes straight from its product: the form that adds it up in memory is not repeatable.
struct AttentionBackwardGraph {
  Graph graph;
  int64_t q, k, v, y, dy, stats, scale, one, dq, dk, dv, row_sum;

  explicit AttentionBackwardGraph(const AttentionBackwardArguments& arguments);
  /// `row_sums`: memory for one float of each query and head.
  Pointers pointers(const AttentionBackwardArguments& arguments, float* row_sums, const float& scale_value,
                    const float& one_value) const;
};

}  // namespace astroclip::cuda::dnn
