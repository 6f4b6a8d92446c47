#include <cmath>

#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

namespace {

/// The part of a product [B, T, pitch] that starts at element `offset` of each token.
HeadsView heads(const Tensor& x, int64_t offset = 0) {
  const auto* data = static_cast<const std::byte*>(x.data()) + offset * size_of(x.dtype());
  return {data, x.size(1), x.size(1) * x.size(2), x.size(2)};
}

MutableHeadsView mutable_heads(Tensor& x, int64_t offset = 0) {
  auto* data = static_cast<std::byte*>(x.mutable_data()) + offset * size_of(x.dtype());
  return {data, x.size(1), x.size(1) * x.size(2), x.size(2)};
}

struct Geometry {
  int64_t batch, heads, width;
};

template <class Arguments>
void set_geometry(Arguments& arguments, const Tensor& like_this, const Geometry& geometry) {
  arguments.dtype = like_this.dtype();
  arguments.batch = geometry.batch;
  arguments.heads = geometry.heads;
  arguments.width = geometry.width;
  arguments.scale = 1.0 / std::sqrt(static_cast<double>(geometry.width));
  arguments.precision = current_precision();
}

/// Operands as references to their products: q, k and v may be parts of one product.
struct Operands {
  Tensor q, k, v;
  int64_t q_offset, k_offset, v_offset;
};

/// Calls the forward kernel, which fills `log_sum_exp` if it is defined.
Tensor attend(const Operands& from, const Geometry& geometry, Tensor log_sum_exp) {
  Tensor y = like(from.q, {geometry.batch, from.q.size(1), geometry.heads * geometry.width});
  AttentionArguments arguments;
  set_geometry(arguments, y, geometry);
  arguments.q = heads(from.q, from.q_offset);
  arguments.k = heads(from.k, from.k_offset);
  arguments.v = heads(from.v, from.v_offset);
  arguments.y = mutable_heads(y);
  if (log_sum_exp.defined()) arguments.log_sum_exp = log_sum_exp;
  backend_of(y.device()).attention(arguments);
  return y;
}

AttentionBackwardArguments backward_arguments(const Operands& from, const Geometry& geometry, const Tensor& y,
                                              const Tensor& log_sum_exp, const Tensor& dy) {
  AttentionBackwardArguments arguments;
  set_geometry(arguments, y, geometry);
  arguments.q = heads(from.q, from.q_offset);
  arguments.k = heads(from.k, from.k_offset);
  arguments.v = heads(from.v, from.v_offset);
  arguments.y = heads(y);
  arguments.dy = heads(dy);
  arguments.log_sum_exp = log_sum_exp;
  return arguments;
}

}  // namespace

Tensor self_attention(const Tensor& qkv, int64_t head_count) {
  Backend& backend = enter("self_attention", {&qkv}, backend_of(qkv.device()).stored_dtype(current_precision()));
  if (qkv.rank() != 3 || head_count < 1 || qkv.size(2) % (3 * head_count) != 0) {
    refuse("self_attention", "qkv must be [batch, tokens, 3 · heads · width] for {} heads, found {}", head_count,
           qkv.shape().str());
  }
  const int64_t dim = qkv.size(2) / 3;
  const Geometry geometry{qkv.size(0), head_count, dim / head_count};
  const Operands operands{qkv.detach(), qkv.detach(), qkv.detach(), 0, dim, 2 * dim};
  const bool records = autograd::needs_gradient({&qkv});
  const Tensor lse =
      records ? Tensor::empty({qkv.size(0), head_count, qkv.size(1)}, backend.compute_dtype(), qkv.device()) : Tensor();
  const Tensor y = attend(operands, geometry, lse);
  if (!records) return y;
  const Precision precision = current_precision();
  return autograd::record("self_attention", y, {qkv}, [=, y = y.detach()](const Tensor& dy) {
    const PrecisionScope scope(precision);
    Tensor dqkv = like(operands.q);
    auto arguments = backward_arguments(operands, geometry, y, lse, dy);
    arguments.dq = mutable_heads(dqkv, 0);
    arguments.dk = mutable_heads(dqkv, dim);
    arguments.dv = mutable_heads(dqkv, 2 * dim);
    backend_of(dy.device()).attention_backward(arguments);
    return std::vector<Tensor>{dqkv};
  });
}

Tensor cross_attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t head_count) {
  enter("cross_attention", {&q, &k, &v});
  const bool fits = q.rank() == 3 && k.rank() == 3 && k.shape() == v.shape() && q.size(0) == k.size(0) &&
                    q.size(2) == k.size(2) && head_count >= 1 && q.size(2) % head_count == 0;
  if (!fits) {
    refuse("cross_attention", "q [B, T, D], k and v [B, S, D] with D a multiple of {} heads, found {}, {}, {}",
           head_count, q.shape().str(), k.shape().str(), v.shape().str());
  }
  const Geometry geometry{q.size(0), head_count, q.size(2) / head_count};
  const Operands operands{q.detach(), k.detach(), v.detach(), 0, 0, 0};
  const bool records = autograd::needs_gradient({&q, &k, &v});
  const Tensor lse = records ? like(q, {q.size(0), head_count, q.size(1)}) : Tensor();
  const Tensor y = attend(operands, geometry, lse);
  if (!records) return y;
  const Precision precision = current_precision();
  return autograd::record("cross_attention", y, {q, k, v}, [=, y = y.detach()](const Tensor& dy) {
    const PrecisionScope scope(precision);
    Tensor dq = like(operands.q), dk = like(operands.k), dv = like(operands.v);
    auto arguments = backward_arguments(operands, geometry, y, lse, dy);
    arguments.dq = mutable_heads(dq);
    arguments.dk = mutable_heads(dk);
    arguments.dv = mutable_heads(dv);
    backend_of(dy.device()).attention_backward(arguments);
    return std::vector<Tensor>{dq, dk, dv};
  });
}

Tensor attention_pool(const Tensor& tokens, const Tensor& queries) {
  Backend& backend =
      enter("attention_pool", {&tokens, &queries}, backend_of(tokens.device()).pooled_dtype(current_precision()));
  if (tokens.rank() != 3 || queries.rank() != 2 || tokens.size(2) != queries.size(1)) {
    refuse("attention_pool", "needs tokens [batch, tokens, width] and queries [heads, width], found {} and {}",
           tokens.shape().str(), queries.shape().str());
  }
  const int64_t batch = tokens.size(0), heads = queries.size(0);
  Tensor y = like(queries, {heads, batch, tokens.size(2)});
  const bool records = autograd::needs_gradient({&tokens, &queries});
  Tensor weights = records ? like(queries, {batch, heads, tokens.size(1)}) : Tensor();
  backend.attention_pool({tokens, queries, y, records ? View(weights) : View()});
  if (!records) return y;
  return autograd::record(
      "attention_pool", y, {tokens, queries},
      [tokens = tokens.detach(), queries = queries.detach(), y = y.detach(), weights,
       need_tokens = tokens.requires_grad(), need_queries = queries.requires_grad()](const Tensor& dy) {
        Tensor dtokens = need_tokens ? like(tokens) : Tensor(), dqueries = need_queries ? like(queries) : Tensor();
        backend_of(dy.device())
            .attention_pool_backward({dy, tokens, queries, y, weights, need_queries ? View(dqueries) : View(),
                                      need_tokens ? View(dtokens) : View()});
        return std::vector<Tensor>{dtokens, dqueries};
      });
}

}  // namespace astroclip::ops
