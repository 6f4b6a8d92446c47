// Attention as cuDNN graphs on q, k and v that lie inside one product [batch, tokens, 3 · heads · width].
#pragma once

#include "dnn_graph.h"

namespace dnn {

struct HeadShape {
  int64_t batch = 0, heads = 0, tokens = 0, width = 0;

  int64_t model() const { return heads * width; }
  int64_t rows() const { return batch * tokens; }
  int64_t lines() const { return batch * heads * tokens; }  ///< rows of scores
  double operations() const { return 4.0 * static_cast<double>(lines() * tokens * width); }
};

/// y = softmax(scale · q kᵀ) v [batch, tokens, heads · width] and, if kept, the float log Σ exp of the scaled scores
/// [batch, heads, tokens].
struct AttentionForward {
  Graph graph;
  int64_t q, k, v, scale, y, stats = -1;

  /// `single`: as cuDNN's one operation; else as products and softmax, which its fused engines recognise.
  AttentionForward(const HeadShape& shape, bool keeps_stats, bool single, cudnnDataType_t type);
  /// `scale_value` must live until the plan has run.
  template <class T>
  Pointers pointers(const HeadShape& shape, T* qkv, T* to, float* stats_to, float* scale_value) const {
    Pointers p = {{q, qkv}, {k, qkv + shape.model()}, {v, qkv + 2 * shape.model()}, {scale, scale_value}, {y, to}};
    if (stats >= 0) p[stats] = stats_to;
    return p;
  }
};

/// dq, dk and dv, inside one product like q, k and v; dq straight from its product, without atomic additions.
struct AttentionBackward {
  Graph graph;
  int64_t q, k, v, y, dy, stats, scale, one, dq, dk, dv, row_sum;

  AttentionBackward(const HeadShape& shape, cudnnDataType_t type);
  /// `row_sums`: memory for one float a line; `scale_value` and `one_value` must live until the plan has run.
  template <class T>
  Pointers pointers(const HeadShape& shape, T* qkv, T* from, T* dfrom, float* stats_from, float* row_sums, T* dqkv,
                    float* scale_value, float* one_value) const {
    const int64_t m = shape.model();
    return {{q, qkv},           {k, qkv + m},        {v, qkv + 2 * m}, {y, from},
            {dy, dfrom},        {stats, stats_from}, {dq, dqkv},       {dk, dqkv + m},
            {dv, dqkv + 2 * m}, {row_sum, row_sums}, {one, one_value}, {scale, scale_value}};
  }
};

}  // namespace dnn
