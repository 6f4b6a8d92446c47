#include "backend/cuda/attention_graphs.h"

namespace astroclip::cuda::dnn {

namespace {

/// Extents and strides of one operand [batch, head, token, channel].
struct HeadsTensor {
  Extents extents, strides;

  template <class Arguments, class Heads>
  HeadsTensor(const Arguments& a, const Heads& x)
      : extents{a.batch, a.heads, x.tokens, a.width}, strides{x.batch_stride, a.width, x.token_stride, 1} {}
  HeadsTensor turned() const {
    HeadsTensor result = *this;
    std::swap(result.extents[2], result.extents[3]);
    std::swap(result.strides[2], result.strides[3]);
    return result;
  }
};

int64_t add_heads(Graph& graph, DType dtype, const HeadsTensor& x) {
  return graph.tensor(type_of(dtype), x.extents, x.strides);
}

}  // namespace

AttentionGraph::AttentionGraph(const AttentionArguments& a) {
  const Extents line = {a.batch, a.heads, a.q.tokens, 1}, scores = {a.batch, a.heads, a.q.tokens, a.k.tokens};
  q = add_heads(graph, a.dtype, {a, a.q});
  k = add_heads(graph, a.dtype, HeadsTensor(a, a.k).turned());
  v = add_heads(graph, a.dtype, {a, a.v});
  y = add_heads(graph, a.dtype, {a, a.y});
  scale = graph.scalar(4);
  if (a.log_sum_exp) stats = graph.tensor(CUDNN_DATA_FLOAT, line, packed_strides(line));
  const int64_t raw = graph.between(scores), scaled = graph.between(scores), largest = graph.between(line),
                shifted = graph.between(scores), exponentials = graph.between(scores), sum = graph.between(line),
                logarithm = graph.between(line),
                probabilities = graph.between(type_of(a.dtype), scores, packed_strides(scores));
  graph.matmul(q, k, raw);
  graph.pointwise(CUDNN_POINTWISE_MUL, raw, scale, scaled);
  graph.reduction(CUDNN_REDUCE_TENSOR_MAX, scaled, largest);
  graph.pointwise(CUDNN_POINTWISE_SUB, scaled, largest, shifted);
  graph.pointwise(CUDNN_POINTWISE_EXP, shifted, -1, exponentials);
  graph.reduction(CUDNN_REDUCE_TENSOR_ADD, exponentials, sum);
  graph.pointwise(CUDNN_POINTWISE_LOG, sum, -1, logarithm);
  graph.pointwise(CUDNN_POINTWISE_ADD, largest, logarithm, a.log_sum_exp ? stats : graph.between(line));
  graph.pointwise(CUDNN_POINTWISE_DIV, exponentials, sum, probabilities);
  graph.matmul(probabilities, v, y);
}

Pointers AttentionTensors::pointers(const AttentionArguments& a, const float& scale_value) const {
  Pointers all = {{q, a.q.data}, {k, a.k.data}, {v, a.v.data}, {y, a.y.data}, {scale, &scale_value}};
  if (a.log_sum_exp) all.emplace_back(stats, a.log_sum_exp.data);
  return all;
}

AttentionBackwardGraph::AttentionBackwardGraph(const AttentionBackwardArguments& a) {
  const int64_t queries = a.q.tokens, keys = a.k.tokens;
  const HeadsTensor of_q(a, a.q), of_k(a, a.k);
  const Extents line = {a.batch, a.heads, queries, 1}, scores = {a.batch, a.heads, queries, keys};
  const Extents by_key = {a.batch, a.heads, keys, queries};
  const Extents by_key_strides = {a.heads * queries * keys, queries * keys, 1, keys};
  const cudnnDataType_t type = type_of(a.dtype);
  q = add_heads(graph, a.dtype, of_q);
  k = add_heads(graph, a.dtype, of_k.turned());
  v = add_heads(graph, a.dtype, HeadsTensor(a, a.v).turned());
  y = add_heads(graph, a.dtype, {a, a.y});
  dy = add_heads(graph, a.dtype, {a, a.dy});
  dq = add_heads(graph, a.dtype, {a, a.dq});
  dk = add_heads(graph, a.dtype, {a, a.dk});
  dv = add_heads(graph, a.dtype, {a, a.dv});
  stats = graph.tensor(CUDNN_DATA_FLOAT, line, packed_strides(line));
  row_sum = graph.tensor(CUDNN_DATA_FLOAT, line, packed_strides(line));
  scale = graph.scalar(4);
  one = graph.scalar(4);

  // Σ dy·y of each query. It has to be written out, whence the product with one. The strides of dy·y are those that
  // cuDNN's engine demands.
  const int64_t products = graph.between(CUDNN_DATA_FLOAT, of_q.extents,
                                         {a.heads * queries * a.width, queries * a.width, a.heads * a.width, 1});
  const int64_t unscaled = graph.between(line);
  graph.pointwise(CUDNN_POINTWISE_MUL, dy, y, products);
  graph.reduction(CUDNN_REDUCE_TENSOR_ADD, products, unscaled);
  graph.pointwise(CUDNN_POINTWISE_MUL, unscaled, one, row_sum);

  // The probabilities p again, and dv = pᵀ dy.
  const int64_t raw = graph.between(scores), scaled = graph.between(scores), shifted = graph.between(scores),
                p = graph.between(scores), p_turned = graph.between(type, by_key, by_key_strides);
  graph.matmul(q, k, raw);
  graph.pointwise(CUDNN_POINTWISE_MUL, raw, scale, scaled);
  graph.pointwise(CUDNN_POINTWISE_SUB, scaled, stats, shifted);
  graph.pointwise(CUDNN_POINTWISE_EXP, shifted, -1, p);
  graph.reshape(p, p_turned);
  graph.matmul(p_turned, dy, dv);

  // ds = p · (dy vᵀ − Σ) · scale, dk = dsᵀ q, dq = ds k.
  const int64_t dp = graph.between(scores), centred = graph.between(scores), weighted = graph.between(scores),
                ds = graph.between(scores), ds_turned = graph.between(type, by_key, by_key_strides),
                k_by_rows = graph.between(type, of_k.extents, of_k.strides);
  graph.matmul(dy, v, dp);
  graph.pointwise(CUDNN_POINTWISE_SUB, dp, row_sum, centred);
  graph.pointwise(CUDNN_POINTWISE_MUL, centred, p, weighted);
  graph.pointwise(CUDNN_POINTWISE_MUL, weighted, scale, ds);
  graph.reshape(ds, ds_turned);
  graph.matmul(ds_turned, q, dk);
  graph.reshape(k, k_by_rows);
  graph.matmul(ds, k_by_rows, dq);
}

Pointers AttentionBackwardGraph::pointers(const AttentionBackwardArguments& a, float* row_sums,
                                          const float& scale_value, const float& one_value) const {
  return {{q, a.q.data},       {k, a.k.data},     {v, a.v.data},
          {y, a.y.data},       {dy, a.dy.data},   {stats, a.log_sum_exp.data},
          {dq, a.dq.data},     {dk, a.dk.data},   {dv, a.dv.data},
          {row_sum, row_sums}, {one, &one_value}, {scale, &scale_value}};
}

}  // namespace astroclip::cuda::dnn
