#include "attention_graphs.h"

namespace dnn {

namespace {

/// Of [batch, head, token, channel] inside rows of `row` numbers.
Extents strides_in_rows(const HeadShape& s, int64_t row) { return {s.tokens * row, s.width, row, 1}; }
Extents turned(Extents e) {
  std::swap(e[2], e[3]);
  return e;
}

}  // namespace

AttentionForward::AttentionForward(const HeadShape& s, bool keeps_stats, bool single, cudnnDataType_t type) {
  const Extents extents = {s.batch, s.heads, s.tokens, s.width}, in = strides_in_rows(s, 3 * s.model());
  const Extents line = {s.batch, s.heads, s.tokens, 1}, scores = {s.batch, s.heads, s.tokens, s.tokens};
  q = graph.tensor(type, extents, in);
  v = graph.tensor(type, extents, in);
  y = graph.tensor(type, extents, strides_in_rows(s, s.model()));
  scale = graph.scalar(4);
  if (keeps_stats) stats = graph.tensor(CUDNN_DATA_FLOAT, line, Graph::packed(line));
  if (single) {
    k = graph.tensor(type, extents, in);
    graph.attention(q, k, v, scale, y, stats);
    return;
  }
  k = graph.tensor(type, turned(extents), turned(in));
  const int64_t raw = graph.between(scores), scaled = graph.between(scores), largest = graph.between(line),
                shifted = graph.between(scores), exponentials = graph.between(scores), sum = graph.between(line),
                logarithm = graph.between(line), probabilities = graph.between(type, scores, Graph::packed(scores));
  graph.matmul(q, k, raw);
  graph.pointwise(CUDNN_POINTWISE_MUL, raw, scale, scaled);
  graph.reduction(CUDNN_REDUCE_TENSOR_MAX, scaled, largest);
  graph.pointwise(CUDNN_POINTWISE_SUB, scaled, largest, shifted);
  graph.pointwise(CUDNN_POINTWISE_EXP, shifted, -1, exponentials);
  graph.reduction(CUDNN_REDUCE_TENSOR_ADD, exponentials, sum);
  graph.pointwise(CUDNN_POINTWISE_LOG, sum, -1, logarithm);
  graph.pointwise(CUDNN_POINTWISE_ADD, largest, logarithm, keeps_stats ? stats : graph.between(line));
  graph.pointwise(CUDNN_POINTWISE_DIV, exponentials, sum, probabilities);
  graph.matmul(probabilities, v, y);
}

AttentionBackward::AttentionBackward(const HeadShape& s, cudnnDataType_t type) {
  const Extents extents = {s.batch, s.heads, s.tokens, s.width}, in = strides_in_rows(s, 3 * s.model()),
                out = strides_in_rows(s, s.model());
  const Extents line = {s.batch, s.heads, s.tokens, 1}, scores = {s.batch, s.heads, s.tokens, s.tokens};
  const Extents by_key = {s.heads * s.tokens * s.tokens, s.tokens * s.tokens, 1, s.tokens};
  q = graph.tensor(type, extents, in);
  k = graph.tensor(type, turned(extents), turned(in));
  v = graph.tensor(type, turned(extents), turned(in));
  y = graph.tensor(type, extents, out);
  dy = graph.tensor(type, extents, out);
  dq = graph.tensor(type, extents, in);
  dk = graph.tensor(type, extents, in);
  dv = graph.tensor(type, extents, in);
  stats = graph.tensor(CUDNN_DATA_FLOAT, line, Graph::packed(line));
  row_sum = graph.tensor(CUDNN_DATA_FLOAT, line, Graph::packed(line));
  scale = graph.scalar(4);
  one = graph.scalar(4);

  // Σ dy·y of each query. It has to be written out, whence the product with one.
  // The strides of dy·y are those that cuDNN's frontend gives it.
  const int64_t products = graph.between(CUDNN_DATA_FLOAT, extents,
                                         {s.heads * s.tokens * s.width, s.tokens * s.width, s.heads * s.width, 1}),
                unscaled = graph.between(line);
  graph.pointwise(CUDNN_POINTWISE_MUL, dy, y, products);
  graph.reduction(CUDNN_REDUCE_TENSOR_ADD, products, unscaled);
  graph.pointwise(CUDNN_POINTWISE_MUL, unscaled, one, row_sum);

  // The probabilities p again, and dv = pᵀ dy.
  const int64_t raw = graph.between(scores), scaled = graph.between(scores), shifted = graph.between(scores),
                p = graph.between(scores), p_turned = graph.between(type, scores, by_key);
  graph.matmul(q, k, raw);
  graph.pointwise(CUDNN_POINTWISE_MUL, raw, scale, scaled);
  graph.pointwise(CUDNN_POINTWISE_SUB, scaled, stats, shifted);
  graph.pointwise(CUDNN_POINTWISE_EXP, shifted, -1, p);
  graph.reshape(p, p_turned);
  graph.matmul(p_turned, dy, dv);

  // ds = p · (dy vᵀ − Σ) · scale, dk = dsᵀ q, dq = ds k.
  const int64_t dp = graph.between(scores), centred = graph.between(scores), weighted = graph.between(scores),
                ds = graph.between(scores), ds_turned = graph.between(type, scores, by_key),
                keys = graph.between(type, extents, in);
  graph.matmul(dy, v, dp);
  graph.pointwise(CUDNN_POINTWISE_SUB, dp, row_sum, centred);
  graph.pointwise(CUDNN_POINTWISE_MUL, centred, p, weighted);
  graph.pointwise(CUDNN_POINTWISE_MUL, weighted, scale, ds);
  graph.reshape(ds, ds_turned);
  graph.matmul(ds_turned, q, dk);
  graph.reshape(k, keys);
  graph.matmul(ds, keys, dq);
}

}  // namespace dnn
